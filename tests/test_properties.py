"""Extreme and odd inputs, thousands of them: right, or a clear error.

Hypothesis makes the cases, the same ones each time. To hunt among others, ten
times as many: `pytest tests/test_properties.py --hypothesis-profile=hunt`.
References are NumPy's and SciPy's, in 64 bits and more.
"""

import contextlib
import functools
import re
from unittest import mock

import cases
import hypothesis
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import tf_relax as tfr
from tf_relax import control_variates as cv
from tf_relax import relaxations
from tf_relax.models import _objective
from tf_relax.relaxations import _noise

tfrd = tfr.distributions

# What a result may be off by, in units of the largest number on its way.
_TOLERANCE = {
    "float16": 2e-3,
    "bfloat16": 2e-2,
    "float32": 1e-6,
    "float64": 2e-15,
}
_SEEDS = st.tuples(*[st.integers(0, 2**31 - 1)] * 2)
_NARROW = st.sampled_from(list(_TOLERANCE))
_WIDE = st.sampled_from(["float32", "float64"])


def _wide(dtype):
    """Returns the dtype that is computed in."""
    return "float64" if dtype == "float64" else "float32"


def _examples(number):
    """Returns settings for so many cases, more by a profile for more."""
    times = hypothesis.settings().max_examples / 100
    return hypothesis.settings(max_examples=round(number * times))


# --- Strategies ------------------------------------------------------------

_LOGITS = st.one_of(
    st.sampled_from([-80.0, -20.0, -1.0, 0.0, 1e-6, 3.0, 20.0, 80.0]),
    st.floats(-80.0, 80.0, allow_subnormal=False),
)
_PROBS = st.one_of(
    st.sampled_from([0.0, 1e-30, 1e-6, 0.3, 0.5, 1.0 - 1e-6, 1.0]),
    st.floats(0.0, 1.0, allow_subnormal=False),
)


def _numbers(low, high):
    """Of few digits: what is made of them does not underflow."""
    exact = lambda x: float(np.float16(x))
    return st.floats(exact(low), exact(high), width=16)


def _uniforms(dtype):
    """Those that `open_uniform` draws, both ends of their grid included."""
    step = {"float32": 2.0**-23, "float64": 2.0**-52}[dtype]
    last = round(1.0 / step) - 1
    number = st.one_of(st.sampled_from([0, last]), st.integers(0, last))
    return number.map(lambda k: (k + 0.5) * step)


@st.composite
def _array(draw, elements, shape, dtype="float64"):
    """Returns an array of numbers that `dtype` has, as float64."""
    x = draw(hnp.arrays(np.float64, shape, elements=elements))
    return tf.cast(x, dtype).numpy().astype(np.float64)


@st.composite
def _noisy_logits(draw, shape):
    """Returns a dtype, logits and two arrays of uniforms."""
    dtype = draw(_WIDE)
    noise = _array(_uniforms(dtype), shape, dtype)
    return dtype, draw(_array(_LOGITS, shape, dtype)), draw(noise), draw(noise)


# --- Comparing -------------------------------------------------------------


def _assert_close(found, wanted, dtype, size=1.0):
    """Asserts that every error is within tolerance of `size` and `wanted`."""
    found = np.asarray(tf.cast(found, tf.float64)).astype(np.longdouble)
    assert found.shape == np.shape(wanted)
    with np.errstate(invalid="ignore"):  # inf is inf.
        error = np.where(found == wanted, 0.0, np.abs(found - wanted))
        allowed = _TOLERANCE[dtype] * (np.abs(wanted) + size)
    worst = np.argmax(error / np.maximum(allowed, 1e-300)) if error.size else 0
    assert (error <= allowed).all(), (
        f"{np.ravel(found)[worst]}, wanted {np.ravel(wanted)[worst]}"
    )


def _long(*arrays):
    return [np.asarray(x).astype(np.longdouble) for x in arrays]


# --- Relaxations -----------------------------------------------------------


def _reference_bernoulli(logits, u, v, b):
    """By odds: `e^zt = (1 + e^l v) / (1 - v)` for b = 1.

    And `v / (1 + (1 - v) e^-l)` for b = 0.
    """
    logits, u, v = _long(logits, u, v)
    odds, one = np.exp(logits), b > 0
    of_one, of_zero = odds * v, (1 - v) / odds
    p, not_p = odds / (1 + odds), 1 / (1 + odds)
    return {
        "relaxed": logits + np.log(u) - np.log1p(-u),
        "score": np.where(one, not_p, -p),
        "conditional": np.where(
            one,
            np.log1p(of_one) - np.log1p(-v),
            np.log(v) - np.log1p(of_zero),
        ),
        "slope": np.where(one, of_one / (1 + of_one), of_zero / (1 + of_zero)),
        "coupled": np.where(one, not_p / u, p / (1 - u)),
    }


@_examples(180)
@hypothesis.given(_noisy_logits([8]))
def test_bernoulli_draws(inputs):
    dtype, *inputs = inputs
    draw = relaxations.bernoulli_draw(*(tf.constant(x, dtype) for x in inputs))
    b, ones = draw.sample.numpy(), tf.ones([8], dtype)
    zt = draw.conditional()
    found = {
        "relaxed": draw.relaxed,
        "score": draw.score["logits"],
        "conditional": zt,
        "slope": draw.conditional_pathwise(zt, ones)["logits"],
        "coupled": draw.coupled_pathwise(ones)["logits"],
    }
    for name, wanted in _reference_bernoulli(*inputs, b).items():
        _assert_close(found[name], wanted, dtype, size=100.0)
    np.testing.assert_array_equal(draw.relaxed > 0, b)
    np.testing.assert_array_equal(zt > 0, b)


def _reference_categorical(logits, u, v, b):
    """By a race: b comes in at e_b, and the others e_i / p_i later."""
    logits, u, v = _long(logits, u, v)
    top = logits.max(-1, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    p, time = np.exp(log_p), -np.log(v)
    first = (b * time).sum(-1, keepdims=True)
    with np.errstate(divide="ignore"):
        later = np.where(b > 0, 0.0, time / p)
        relaxed = log_p - np.log(-np.log(u))
    finished = first + later
    ones = np.eye(logits.shape[-1])

    def through(slope):
        """Of all classes' derivatives at once, by the logits: [C, ..., C]."""
        by_log_p = slope * ones[:, np.newaxis]
        return by_log_p - p * by_log_p.sum(-1, keepdims=True)

    with np.errstate(invalid="ignore", divide="ignore"):
        late = np.where(np.isinf(later), 1.0, later / finished)
        return {
            "relaxed": relaxed,
            "score": b - p,
            "conditional": -np.log(finished),
            "slope": through(late),
            "coupled": through(
                np.exp(relaxed - relaxed.max(-1, keepdims=True))
            ),
        }


@_examples(180)
@hypothesis.given(st.data())
def test_categorical_draws(data):
    shape = (data.draw(st.integers(0, 3)), data.draw(st.integers(1, 5)))
    dtype, logits, u, v = data.draw(_noisy_logits(shape))
    masked = data.draw(hnp.arrays(bool, shape))
    masked[..., 0] = False
    logits = np.where(masked, -np.inf, logits)
    draw = relaxations.categorical_draw(
        *(tf.constant(x, dtype) for x in (logits, u, v))
    )
    b, zt = draw.sample.numpy(), draw.conditional()
    classes = np.eye(shape[-1])[:, np.newaxis] * np.ones([*shape])
    found = {
        "relaxed": draw.relaxed,
        "score": draw.score["logits"],
        "conditional": zt,
        "slope": draw.conditional_pathwise(zt, tf.constant(classes, dtype)),
        "coupled": draw.coupled_pathwise(tf.constant(classes, dtype)),
    }
    for name, wanted in _reference_categorical(logits, u, v, b).items():
        x = (
            found[name]["logits"]
            if isinstance(found[name], dict)
            else found[name]
        )
        _assert_close(x, wanted, dtype, size=200.0)
    for z in (draw.relaxed, zt):
        np.testing.assert_array_equal(
            tf.one_hot(tf.argmax(z, -1), shape[-1]), b
        )
    np.testing.assert_array_equal(b.sum(-1), np.ones(shape[:1]))
    assert not b[masked].any()


@_examples(40)
@hypothesis.given(st.data())
def test_normal_draws(data):
    dtype = data.draw(_WIDE)
    loc = data.draw(_array(_numbers(-1000, 1000), [4], dtype))
    scale = data.draw(_array(_numbers(1e-3, 1000), [4], dtype))
    noise = data.draw(_array(_numbers(-8, 8), [4], dtype))
    draw = relaxations.normal_draw(
        *(tf.constant(x, dtype) for x in (loc, scale, noise))
    )
    size = np.abs(loc) + scale * np.abs(noise)
    _assert_close(draw.sample, loc + scale * noise, dtype, size)
    _assert_close(draw.score["loc"], noise / scale, dtype, 0.0)
    by_scale = (noise**2 - 1) / scale
    _assert_close(draw.score["scale"], by_scale, dtype, 1.0 / scale)


# --- Distributions ---------------------------------------------------------


@st.composite
def _parameter(draw, family):
    """Returns a dtype, "logits" or "probs", and an array of them."""
    dtype = draw(_NARROW)
    name = draw(st.sampled_from(["logits", "probs"]))
    batch = draw(st.integers(0, 3))
    shape = [batch, draw(st.integers(1, 4))]
    x = draw(_array({"logits": _LOGITS, "probs": _PROBS}[name], shape, dtype))
    x[np.abs(x) < 1e-37] = 0.0  # Of probabilities, these count as 0.
    if name == "probs" and family == "categorical":
        x[..., 0] += x.sum(-1) == 0
        x /= x.sum(-1, keepdims=True)
        x = tf.cast(x, dtype).numpy().astype(np.float64)
    return dtype, name, x


def _make(family, dtype, name, x):
    kind = {"bernoulli": tfrd.Bernoulli, "categorical": tfrd.OneHotCategorical}
    return kind[family](**{name: tf.constant(x, dtype)})


def _log_odds_of(name, x):
    """Returns log p and log (1 - p)."""
    if name == "logits":
        return scipy.special.log_expit(x), scipy.special.log_expit(-x)
    with np.errstate(divide="ignore"):
        return np.log(x), np.log1p(-x)


@_examples(100)
@hypothesis.given(_parameter("bernoulli"), _SEEDS)
def test_bernoulli_distributions(parameter, seed):
    dtype, name, x = parameter
    q = _make("bernoulli", *parameter)
    log_p, log_not_p = _log_odds_of(name, x)
    size = 1.0 + np.abs(x)
    _assert_close(q.log_prob(tf.ones(x.shape)), log_p, dtype, size)
    _assert_close(q.log_prob(tf.zeros(x.shape)), log_not_p, dtype, size)
    _assert_close(q.mean(), np.exp(log_p), dtype)
    samples = q.sample(5, seed=seed).numpy()
    draw = q.draw(seed)
    assert samples.shape == (5, *x.shape)
    for b in (*samples, draw.sample.numpy()):
        assert np.isin(b, [0.0, 1.0]).all()
        assert (b[log_p == 0.0] == 1).all()
        assert (b[log_not_p == 0.0] == 0).all()
    u, _ = (
        relaxations.open_uniform(s, x.shape, tf.as_dtype(_wide(dtype)))
        for s in relaxations.split_seed(seed, 2)
    )
    u = u.numpy().astype(np.float64)
    logits = np.clip(log_p - log_not_p, -1e3, 1e3)
    wanted = logits + np.log(u) - np.log1p(-u)
    certain = (log_p == 0) | (log_not_p == 0)  # Finite, and far away.
    far = np.where(certain, draw.relaxed, wanted)
    _assert_close(draw.relaxed, far, _wide(dtype), size=200.0)


@_examples(100)
@hypothesis.given(_parameter("categorical"), _SEEDS)
def test_categorical_distributions(parameter, seed):
    dtype, name, x = parameter
    q = _make("categorical", *parameter)
    with np.errstate(divide="ignore"):
        log_p = x if name == "logits" else np.log(x)
    log_p = scipy.special.log_softmax(log_p, -1) if log_p.size else log_p
    for index, b in enumerate(np.eye(x.shape[-1])):
        b = tf.constant(np.broadcast_to(b, x.shape), q.dtype)
        possible = np.isfinite(log_p[..., index])
        found = tf.where(possible, q.log_prob(b), tf.zeros([], dtype))
        wanted = np.where(possible, log_p[..., index], 0.0)
        _assert_close(found, wanted, dtype, 200.0)
    samples = q.sample(5, seed=seed).numpy()
    draw = q.draw(seed)
    assert samples.shape == (5, *x.shape)
    for b in (*samples, draw.sample.numpy()):
        np.testing.assert_array_equal(b.sum(-1), np.ones(x.shape[:1]))
        assert not b[np.isinf(log_p)].any()
    u = relaxations.open_uniform(
        relaxations.split_seed(seed, 2)[0],
        x.shape,
        tf.as_dtype(_wide(dtype)),
    )
    gumbel = -np.log(-np.log(u.numpy().astype(np.float64)))
    wanted = np.where(np.isinf(log_p), draw.relaxed, log_p + gumbel)
    _assert_close(draw.relaxed, wanted, _wide(dtype), size=200.0)


@_examples(60)
@hypothesis.given(
    st.sampled_from(["bernoulli", "categorical"]).flatmap(
        lambda family: st.tuples(st.just(family), _parameter(family))
    )
)
def test_gradients_by_probs(inputs):
    """Those by logits, over p (1 - p) or p; 0 where the outcome is certain."""
    family, (dtype, _, x) = inputs
    x = np.clip(x, 0.0, 1.0)
    q = _make(family, dtype, "probs", x)
    ones = tf.ones(x.shape, _wide(dtype))
    found = q.pull_back({"logits": ones})["probs"]
    x = x.astype(np.longdouble)
    of = x * (1 - x) if family == "bernoulli" else x
    least = {"float32": 1e-37, "float64": 1e-300}[_wide(dtype)]
    wanted = np.where(of < least, 0.0, 1 / np.maximum(of, least))
    _assert_close(found, wanted, _wide(dtype), 0.0)


@_examples(40)
@hypothesis.given(st.data())
def test_normal_distributions(data):
    dtype = data.draw(_NARROW)
    loc = data.draw(_array(_numbers(-8, 8), [3], dtype))
    scale = data.draw(_array(_numbers(0.125, 8), [3], dtype))
    b = data.draw(_array(_numbers(-16, 16), [3], dtype))
    tensors = [tf.constant(x, dtype) for x in (loc, scale)]
    q = tfrd.Normal(*tensors)
    wanted = scipy.stats.norm.logpdf(b, loc, scale)
    z = np.abs(b - loc) / scale
    size = (1 + z) * (1 + (np.abs(b) + np.abs(loc)) / scale)
    _assert_close(q.log_prob(tf.constant(b, dtype)), wanted, dtype, size)
    together = tfrd.MultivariateNormalDiag(*tensors)
    found = together.log_prob(tf.constant(b, dtype))
    _assert_close(found, wanted.sum(), dtype, size.sum())
    draw = q.draw((0, 0))
    noise = draw.pathwise(tf.ones([3], _wide(dtype)))["scale"].numpy()
    _assert_close(draw.sample, loc + scale * noise, _wide(dtype), 100.0)


# --- Estimators ------------------------------------------------------------

_EVENT = {"bernoulli": (3,), "categorical": (2, 3), "normal": (3,)}
_SCALES = st.sampled_from([0.0, 1e-2, 1.0, 1e4])  # Of f.


def _estimated():
    """Yields (method, family) of what is registered, at its fewest samples."""
    few = {"relax_independent": "relax_independent"}
    for method in cases.METHODS:
        name = method.rpartition("_k")[0] or method
        if name in tfr.estimators.names():
            few.setdefault(name, method)
    for method, family in cases.pairs(cases.BASE_FAMILIES):
        if method in few.values() and family in _EVENT:
            yield method, family


_ESTIMATED = list(_estimated())


def _distribution(family, x):
    if family == "normal":
        return tfrd.Normal(x / 10.0, tf.exp(x / 40.0))
    return cases.FAMILIES[family].make(logits=x)


def _f(family, scale=1.0):
    """Returns a function of any number of units, of any batch shape."""
    ndims = len(_EVENT[family])

    def f(b):
        leading = tf.shape(b)[: b.shape.rank - ndims]
        size = tf.reduce_prod(tf.shape(b)[b.shape.rank - ndims :])
        flat = tf.reshape(b, tf.concat([leading, [size]], 0))
        weights = tf.linspace(tf.cast(-1.5, b.dtype), 2.0, size)
        linear = tf.reduce_sum(flat * weights, -1)
        value = (linear - 0.499) ** 2 + tf.sin(linear)
        return tf.cast(scale, b.dtype) * value

    return f


def _fresh(method, family):
    name = cases.METHODS[method].control_variates[-1]
    if name == "unhelpful":  # It wants two units.
        name = "good"
    return cases.estimator_of(method, family, name)


def _estimate(estimator, method, family, x, seed, scale=1.0):
    return estimator.estimate(
        _f(family, scale),
        _distribution(family, x),
        seed=seed,
        num_samples=cases.METHODS[method].num_samples,
    )


@functools.cache
def _compiled(method, family):
    """Returns an estimator, a graph of it, and what it must know of shapes.

    The graph is of batches of any size and of any number of units, or if that
    is an error, of any size.
    """
    event, missing = _EVENT[family], ""
    while True:
        estimator = _fresh(method, family)

        def estimate(x, seed, scale, estimator=estimator):
            return _estimate(estimator, method, family, x, seed, scale)

        graph = tf.function(estimate, autograph=False)
        try:
            concrete = graph.get_concrete_function(
                tf.TensorSpec(
                    [None] * (1 + len(event)) if not missing else [None, *event]
                ),
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([]),
            )
            return estimator, concrete, missing
        except ValueError as error:
            if missing:
                raise
            missing = str(error)


def _noise_of_float32():
    """Makes float64 draw the numbers that float32 draws."""
    uniform = _noise._uniform

    def same_uniform(seed, shape, dtype):
        x = tf.cast(uniform(seed, shape, tf.float32), dtype)
        return x if dtype == tf.float32 else x + (2.0**-24 - 2.0**-53)

    return mock.patch.object(_noise, "_uniform", same_uniform)


@contextlib.contextmanager
def _unchanged(estimator):
    """Puts back what an estimator learns from its draws."""
    weights = [w for layer in estimator.layers for w in layer.weights]
    values = [w.numpy() for w in weights]
    yield
    for weight, value in zip(weights, values, strict=True):
        weight.assign(value)


@pytest.mark.parametrize(("method", "family"), _ESTIMATED)
@_examples(3)
@hypothesis.given(data=st.data())
def test_estimates_are_those_of_float64(method, family, data):
    """In a graph that knows no batch size, by the same noise."""
    shape = (data.draw(st.integers(0, 3)), *_EVENT[family])
    x = data.draw(_array(_LOGITS, shape, "float32"))
    seed, scale = data.draw(_SEEDS), data.draw(_SCALES)
    estimator, compiled, _ = _compiled(method, family)
    with _unchanged(estimator):
        found = compiled(
            tf.constant(x, tf.float32), tf.constant(seed), tf.constant(scale)
        )
    with _unchanged(estimator), _noise_of_float32():
        wanted = _estimate(
            estimator, method, family, tf.constant(x), seed, scale
        )
    for weight in (w for layer in estimator.layers for w in layer.weights):
        assert np.isfinite(weight).all()
    for gradient in found.variance_gradients:
        assert np.isfinite(gradient).all()
    if family != "normal":  # A unit on the border between two outcomes.
        hypothesis.assume(np.array_equal(found.sample, wanted.sample))
    largest = 100.0 * (1.0 + np.max(np.abs(wanted.value), initial=scale))
    _assert_close(found.value, wanted.value, "float32", largest)
    for name, gradient in found.gradients.items():
        assert gradient.shape == wanted.gradients[name].shape
        _assert_close(
            gradient, wanted.gradients[name].numpy(), "float32", largest
        )


def _shaped(family, leading, x):
    """Returns logits `[*leading, E...]`."""
    return tf.reshape(tf.constant(x), [*leading, *_EVENT[family]])


@pytest.mark.parametrize(("method", "family"), _ESTIMATED)
@_examples(2)
@hypothesis.given(data=st.data())
def test_examples_do_not_know_of_each_other(method, family, data):
    """A batch of any shape, and parts of it, have the same estimates."""
    steps, batch = (data.draw(st.integers(0, 3)) for _ in range(2))
    rows = steps * batch
    x = data.draw(_array(_LOGITS, [rows, *_EVENT[family]]))
    seed = data.draw(_SEEDS)

    def gradients(*leading, part=slice(None)):
        x_of = _shaped(family, leading, x[part])
        return _estimate(_fresh(method, family), method, family, x_of, seed)

    flat, square = gradients(rows), gradients(steps, batch)
    for name, gradient in flat.gradients.items():
        wanted = tf.reshape(gradient, square.gradients[name].shape)
        _assert_close(square.gradients[name], wanted, "float64", 1e4)
    if family == "normal":  # No model has them.
        return
    start = data.draw(st.integers(0, rows))
    with relaxations.rows_of_batch(start, rows, len(_EVENT[family])):
        part = gradients(rows - start, part=slice(start, None))
    for name, gradient in flat.gradients.items():
        _assert_close(part.gradients[name], gradient[start:], "float64", 1e4)


_DISCRETE = [pair for pair in _ESTIMATED if pair[1] != "normal"]


@pytest.mark.parametrize(("method", "family"), _DISCRETE)
def test_one_unit(method, family, monkeypatch):
    """Of two outcomes; an estimator may need more, and says so."""
    event = {"bernoulli": (1,), "categorical": (1, 2)}[family]
    monkeypatch.setitem(_EVENT, family, event)
    x = tf.constant(np.reshape([-80.0, 0.0, 80.0, 1.0], [-1, *event]))
    found = _estimate(_fresh(method, family), method, family, x, (0, 0))
    assert np.isfinite(found.gradients["logits"]).all()
    assert np.isfinite(found.value).all()


@pytest.mark.parametrize(("method", "family"), _ESTIMATED)
def test_sizes_are_unknown_or_missed(method, family):
    _, _, missing = _compiled(method, family)
    if missing:
        clear = r"when a graph is made; .*Received: \(.*None"
        assert re.search(clear, missing)


@pytest.mark.parametrize(("method", "family"), _DISCRETE)
def test_no_rank_is_known(method, family):
    def gradient(x):
        _estimate(_fresh(method, family), method, family, x, (0, 0))

    with pytest.raises(ValueError, match="known number of axes.*Received"):
        tf.function(gradient, autograph=False).get_concrete_function(
            tf.TensorSpec(None)
        )


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (tfr.Enumeration, r"2\*\*10000"),
        (tfr.UnorderedSet, r"2\*\*10000"),
        (tfr.REBAR, None),
        (tfr.DisARM, None),
        (tfr.ARMS, None),
        (tfr.VIMCO, None),
    ],
)
def test_ten_thousand_units(make, received):
    x = tf.constant(np.linspace(-80.0, 80.0, 10_000)[np.newaxis])
    estimate = functools.partial(
        make().estimate,
        lambda b: tf.reduce_mean(b, -1) ** 2,
        tfrd.Bernoulli(logits=x),
        seed=(0, 0),
    )
    if received:
        with pytest.raises(ValueError, match=f"outcomes.*Received.*{received}"):
            estimate()
    else:
        assert np.isfinite(estimate().gradients["logits"]).all()


def test_sizes_that_are_broadcast_when_the_graph_runs():
    f = lambda b: tf.reduce_sum(tf.sin(b), -1)

    def gradients(loc, scale):
        return tfrd.Normal(loc, scale).lax_gradient(f, f, seed=(0, 0)).gradients

    loc, scale = tf.zeros([5, 3]), tf.fill([1, 3], 0.5)
    unknown = [tf.TensorSpec([None, 3])] * 2
    for jit_compile in (False, True):
        compiled = tf.function(
            gradients, input_signature=unknown, jit_compile=jit_compile
        )
        found = compiled(loc, scale)
        assert found["loc"].shape == [5, 3]
        assert found["scale"].shape == [1, 3]
    wanted = gradients(loc, scale)
    for name, gradient in compiled.python_function(loc, scale).items():
        _assert_close(gradient, wanted[name], "float32")


@pytest.mark.parametrize("num_samples", [2.0, "2", [2]])
def test_samples_are_counted_by_integers(num_samples):
    with pytest.raises(ValueError, match=r"an integer.*Received: num_samples="):
        tfr.Reinforce().check_num_samples(num_samples)


@pytest.mark.parametrize("estimator", [tfr.NVIL, tfr.Reinforce])
def test_an_empty_batch_teaches_nothing(estimator):
    average = tfr.estimators.MovingAverage()
    keywords = {tfr.NVIL: "averages", tfr.Reinforce: "baseline"}
    given = average if estimator is tfr.Reinforce else [average, average]
    estimator = estimator(**{keywords[estimator]: given})
    average.update(tf.constant([1.0, 3.0]))
    for batch in (0, 2):
        q = tfrd.Bernoulli(logits=tf.zeros([batch, 3]))
        estimator.estimate(lambda b: tf.reduce_sum(b, -1), q, seed=(0, 0))
        assert np.isfinite(average.read())
        if not batch:
            np.testing.assert_allclose(average.read(), 2.0, rtol=1e-6)


@pytest.mark.parametrize("p", [0.0, 1e-320, 1e-200, 1e-60])
def test_small_probabilities_in_float64(p):
    """Of f(b) = 1 + b, at b = 0: `f(0) d log(1 - p)`, 0 if p counts as 0."""
    f = lambda b: 1.0 + tf.reduce_sum(b[..., :1], -1)
    bits = tfrd.Bernoulli(probs=tf.constant([p], tf.float64))
    units = tfrd.OneHotCategorical(probs=tf.constant([p, 1 - p], tf.float64))
    for q in (bits, units):
        found = q.reinforce_gradient(f, seed=(0, 0)).gradients["probs"][0]
        np.testing.assert_allclose(found, -float(p > 1e-300), rtol=1e-9)


def test_gradients_of_log_prob_where_a_class_is_impossible():
    b = tf.constant([0.0, 1.0, 0.0])
    for name, x in {
        "probs": [0.0, 0.25, 0.75],
        "logits": [-np.inf, 0.0, 1.0],
    }.items():
        x = tf.constant(x, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tfrd.OneHotCategorical(**{name: x}).log_prob(b)
        assert np.isfinite(value)
        assert np.isfinite(tape.gradient(value, x)).all()


# --- Control variates ------------------------------------------------------


@_examples(40)
@hypothesis.given(st.data())
def test_control_variates(data):
    """`eta f(sigmoid(z / lambda)) + network(z)`, and its derivative."""
    dtype = data.draw(_WIDE)
    shape = (data.draw(st.integers(0, 3)), data.draw(st.integers(1, 4)))
    z = data.draw(_array(_LOGITS, shape, dtype))
    temperature, eta = (data.draw(_numbers(0.125, 8)) for _ in range(2))
    network = cv.Network((3,), "tanh", seed=1)
    c = cv.Scaled(cv.RelaxedFunction(temperature), eta) + network
    c.build(shape)
    f = lambda b: tf.reduce_sum(b**2, -1)
    x = tf.constant(z, dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = c(x, f=f, squash=tf.sigmoid)
    relaxed = scipy.special.expit(z / temperature)
    kernel, out, *biases = (
        w.numpy().astype(np.float64)
        for w in (network.kernel_z, *network.kernels, *network.biases)
    )
    hidden = np.tanh(z @ kernel + biases[0])
    wanted = eta * (relaxed**2).sum(-1) + (hidden @ out)[:, 0]
    # 1 / lambda comes from its logarithm, in float32.
    _assert_close(found, wanted, "float32", 1e4)
    by_relaxed = 2 * relaxed**2 * scipy.special.expit(-z / temperature)
    wanted = eta * by_relaxed / temperature
    wanted += ((1 - hidden**2) * out[:, 0]) @ kernel.T
    _assert_close(tape.gradient(found, x), wanted, "float32", 1e4)


# --- The VAE ---------------------------------------------------------------

_PIXELS = 4


@functools.cache
def _vae(estimator, num_latents, mean):
    return tfr.models.DiscreteVAE(
        "linear1",
        num_latents,
        estimator=estimator,
        image_shape=(_PIXELS,),
        mean=mean,
    )


@_examples(40)
@hypothesis.given(
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from(["relax", "disarm"]),
    st.sampled_from([1, 3]),
    st.sampled_from([0.0, 1.0, None]),
    st.integers(0, 2),
    _SEEDS,
)
def test_vae(mean, estimator, num_latents, grey, batch, seed):
    """Its ELBO, in float64; all black, all white, grey, empty."""
    vae = _vae(estimator, num_latents, mean)
    images = np.random.default_rng(seed).random([batch, _PIXELS])
    images = images if grey is None else np.full_like(images, grey)
    images = images.astype(np.float32)
    logits = vae.posterior(images).logits
    b = vae.posterior(images).draw(seed).sample.numpy().astype(np.float64)
    found = vae.log_weight(b.astype(np.float32), images, logits)
    pixels = vae.pixel_logits(b.astype(np.float32)).numpy()
    wanted = _log_bernoulli(images, pixels)
    wanted += _log_bernoulli(b, vae.prior_logits.numpy())
    wanted -= _log_bernoulli(b, logits.numpy())
    _assert_close(found, wanted, "float32", 100.0)
    assert vae.bound(images, 2, seed).shape == (batch,)
    result = _objective.loss_gradients(
        vae,
        tf.constant(images),
        vae.trainable_variables,
        seed=tf.constant(seed),
    )
    for gradient in result.gradients:
        assert np.isfinite(gradient).all() or not batch


def _log_bernoulli(bits, logits):
    bits, logits = bits.astype(np.float64), logits.astype(np.float64)
    log_p = bits * logits + scipy.special.log_expit(-logits)
    return log_p.sum(-1)


@pytest.mark.parametrize("estimator", ["relax", "disarm", "nvil"])
@pytest.mark.parametrize(("num_latents", "batch"), [(10_000, 1), (1, 0)])
def test_a_step_of_a_vae(num_latents, batch, estimator):
    vae = _vae(estimator, num_latents, 0.0)
    vae.compile("adam", run_eagerly=True, jit_compile=False)
    logs = vae.train_step(tf.zeros([batch, _PIXELS]))
    assert np.isfinite(logs["elbo"])
    for weight in vae.weights:
        assert np.isfinite(weight).all()


def test_images_of_another_size_are_no_images():
    vae = _vae("relax", 3, 0.5)
    with pytest.raises(ValueError, match=r"\[B, 4\].*Received.*\(2, 8\)"):
        vae.posterior(tf.zeros([2, 2 * _PIXELS]))
