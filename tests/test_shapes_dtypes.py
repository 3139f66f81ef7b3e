"""Shapes, dtypes and kinds of parameters that users have."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr

tfrd = tfr.distributions
_SEED = (1, 2)


def _sum(axis):
    return lambda b: tf.reduce_sum(tf.sin(b) + b, axis)


# Name: distribution, f, c, shape of f(b), of one sample of b.
_BERNOULLI = tf.zeros([5, 3])
_CLASSES = tf.zeros([5, 2, 4])
_SHAPES = {
    "D": (tfrd.Bernoulli(tf.zeros([3])), _sum(-1), [], [3]),
    "scalar": (tfrd.Bernoulli(0.0), tf.sin, [], []),
    "BD": (tfrd.Bernoulli(_BERNOULLI), _sum(-1), [5], [5, 3]),
    "BD_to_nothing": (
        tfrd.Bernoulli(_BERNOULLI),
        _sum([-2, -1]),
        [],
        [5, 3],
    ),
    "BD_elementwise": (tfrd.Bernoulli(_BERNOULLI), tf.sin, [5, 3], [5, 3]),
    "TBD": (tfrd.Bernoulli(tf.zeros([7, 5, 3])), _sum(-1), [7, 5], [7, 5, 3]),
    "K": (tfrd.OneHotCategorical(tf.zeros([4])), _sum(-1), [], [4]),
    "BNK": (tfrd.OneHotCategorical(_CLASSES), _sum([-2, -1]), [5], [5, 2, 4]),
    "BNK_to_BN": (
        tfrd.OneHotCategorical(_CLASSES),
        _sum(-1),
        [5, 2],
        [5, 2, 4],
    ),
    "normal_BD": (tfrd.Normal(_BERNOULLI, 1.0), _sum(-1), [5], [5, 3]),
    "mvn_BD": (
        tfrd.MultivariateNormalDiag(_BERNOULLI),
        _sum(-1),
        [5],
        [5, 3],
    ),
    "independent": (
        tfrd.Independent(tfrd.Bernoulli(_BERNOULLI), 1),
        _sum(-1),
        [5],
        [5, 3],
    ),
}


def _gradient(q, f, c, **kwargs):
    continuous = "loc" in q.given_parameters()
    method = q.lax_gradient if continuous else q.relax_gradient
    return method(f, c, **{"seed": _SEED} | kwargs)


@pytest.mark.parametrize("name", _SHAPES)
def test_shapes_of_one_sample(name):
    q, f, value, sample = _SHAPES[name]
    estimate = _gradient(q, f, f)
    assert estimate.value.shape == value
    assert estimate.sample.shape == sample
    for name, parameter in q.given_parameters().items():
        assert estimate.gradients[name].shape == parameter.shape


@pytest.mark.parametrize("name", _SHAPES)
def test_several_samples_have_a_leading_axis(name):
    q, f, value, sample = _SHAPES[name]
    if name == "BD_to_nothing":
        f = _sum([-2, -1])
    estimate = _gradient(q, f, f, num_samples=6)
    assert estimate.value.shape == value
    assert estimate.sample.shape == [6, *sample]
    for name, parameter in q.given_parameters().items():
        assert estimate.gradients[name].shape == parameter.shape


@pytest.mark.parametrize("name", _SHAPES)
def test_expectation_has_the_shape_of_f(name):
    q, f, value, _ = _SHAPES[name]
    for num_samples in (None, 3):
        values = tfr.expectation(
            f,
            q,
            estimator=tfr.Reinforce(),
            seed=_SEED,
            num_samples=num_samples,
        )
        assert values.shape == value


def test_elementwise_f_is_an_f_of_every_unit():
    logits = tf.constant([[0.1, -1.0], [2.0, 0.3]], tf.float64)
    f = lambda b: (b - 0.3) ** 2
    c = tf.sin
    together = tfrd.Bernoulli(logits).relax_gradient(f, c, seed=_SEED)
    flat = tfrd.Bernoulli(tf.reshape(logits, [4]))
    apart = flat.relax_gradient(f, c, seed=_SEED)
    np.testing.assert_allclose(
        tf.reshape(together.gradients["logits"], [4]),
        apart.gradients["logits"],
        rtol=1e-12,
    )


def test_f_of_fewer_axes_has_longer_examples():
    """A joint f gives every unit the whole signal."""
    logits = tf.constant([[0.1, -1.0], [2.0, 0.3]], tf.float64)
    q = tfrd.Bernoulli(logits)
    f = lambda b: tf.reduce_sum(b, [-2, -1]) ** 2
    estimate = q.reinforce_gradient(f, seed=_SEED)
    np.testing.assert_allclose(
        estimate.gradients["logits"],
        f(estimate.sample) * (estimate.sample - tf.sigmoid(logits)),
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("loc", "scale"),
    [
        ([5, 3], []),
        ([5, 3], [3]),
        ([5, 3], [5, 1]),
        ([3], [5, 3]),
        ([], [5, 3]),
    ],
)
@pytest.mark.parametrize("num_samples", [1, 4])
def test_parameters_that_are_broadcast_get_the_sum(loc, scale, num_samples):
    shapes = {"loc": loc, "scale": scale}
    given = {
        n: tf.fill(s, tf.constant(0.7, tf.float64)) for n, s in shapes.items()
    }
    full = {n: tf.broadcast_to(x, [5, 3]) for n, x in given.items()}
    options = {"seed": _SEED, "num_samples": num_samples}
    found = tfrd.Normal(**given).lax_gradient(_sum(-1), _sum(-1), **options)
    apart = tfrd.Normal(**full).lax_gradient(_sum(-1), _sum(-1), **options)
    for name, parameter in given.items():
        with tf.GradientTape() as tape:
            tape.watch(parameter)
            x = tf.broadcast_to(parameter, [5, 3])
        expected = tape.gradient(x, parameter, apart.gradients[name])
        np.testing.assert_allclose(found.gradients[name], expected, rtol=1e-12)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_batch_of_unknown_size(jit_compile):
    c = tfr.control_variates.Network((4,), "tanh")
    c.build((None, 3))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 3]),
            tf.TensorSpec([2], tf.int32),
        ],
        jit_compile=jit_compile,
    )
    def gradients(logits, seed):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            values = tfr.expectation(
                _sum(-1),
                tfrd.Bernoulli(logits=logits),
                estimator=tfr.RELAX(c),
                seed=seed,
                num_samples=2,
            )
            loss = tf.reduce_mean(values)
        return tape.gradient(loss, [logits, *c.trainable_variables])

    for size in (1, 4):
        logits = tf.zeros([size, 3])
        found = gradients(logits, tf.constant(_SEED))
        assert found[0].shape == [size, 3]
        estimate = tfrd.Bernoulli(logits).relax_gradient(
            _sum(-1), c, seed=_SEED, num_samples=2
        )
        np.testing.assert_allclose(
            found[0], estimate.gradients["logits"] / size, rtol=1e-5
        )


def test_independent_moves_the_axes_that_f_must_reduce():
    q = tfrd.Independent(tfrd.Bernoulli(_BERNOULLI), 1)
    inside = tfrd.Bernoulli(_BERNOULLI)
    np.testing.assert_array_equal(
        _gradient(q, _sum(-1), _sum(-1)).gradients["logits"],
        _gradient(inside, _sum(-1), _sum(-1)).gradients["logits"],
    )
    with pytest.raises(ValueError, match="leading part of b's shape"):
        _gradient(q, tf.sin, tf.sin)


# --- dtypes ----------------------------------------------------------------

_FAMILIES = {
    "bernoulli_logits": lambda x: tfrd.Bernoulli(logits=x),
    "bernoulli_probs": lambda x: tfrd.Bernoulli(probs=x),
    "categorical_logits": lambda x: tfrd.OneHotCategorical(logits=x),
    "categorical_probs": lambda x: tfrd.OneHotCategorical(probs=x),
    "normal": lambda x: tfrd.Normal(loc=x, scale=tf.ones([], x.dtype)),
    "mvn_diag": lambda x: tfrd.MultivariateNormalDiag(loc=x),
}


@pytest.mark.parametrize("family", _FAMILIES)
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_computes_in_float32_at_least(name, family):
    dtype = tf.as_dtype(name)
    x = tf.constant([[0.25, 0.75]], dtype)
    q = _FAMILIES[family](x)
    estimate = _gradient(q, _sum(-1), _sum(-1))
    wide = tf.float64 if name == "float64" else tf.float32
    assert estimate.value.dtype == wide
    for gradient in estimate.gradients.values():
        assert gradient.dtype == wide
    assert estimate.sample.dtype == q.dtype
    if family not in ("normal", "mvn_diag"):  # Theirs is TFP's business.
        assert q.dtype == wide


@pytest.mark.parametrize("family", _FAMILIES)
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_expectation_gives_an_encoder_the_dtype_of_its_output(name, family):
    weights = tf.Variable(tf.constant([[0.25, 0.75]], tf.as_dtype(name)))
    with tf.GradientTape() as tape:
        values = tfr.expectation(
            _sum(-1),
            _FAMILIES[family](weights * 1.0),
            estimator=tfr.Reinforce(),
            seed=_SEED,
        )
        loss = tf.reduce_sum(values)
    assert tape.gradient(loss, weights).dtype == weights.dtype


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("logits", ["float32", "float64"])
def test_samples_of_another_dtype_on_request(logits, name):
    dtype = tf.as_dtype(name)
    logits = tf.constant([[0.3, -0.2]], tf.as_dtype(logits))
    q = tfrd.Bernoulli(logits=logits, dtype=dtype)
    seen = []

    def f(b):
        seen.append(b.dtype)
        return tf.reduce_sum(b, -1)

    c = lambda z: tf.reduce_sum(tf.sin(z), -1)
    estimate = q.relax_gradient(f, c, seed=_SEED)
    assert seen == [dtype]
    assert estimate.sample.dtype == dtype
    assert estimate.gradients["logits"].dtype == logits.dtype
    plain = tfrd.Bernoulli(logits=logits).relax_gradient(f, c, seed=_SEED)
    np.testing.assert_array_equal(
        estimate.gradients["logits"], plain.gradients["logits"]
    )


def test_f_may_compute_in_less_than_float32():
    q = tfrd.Bernoulli(tf.zeros([4, 3]))
    f = lambda b: tf.reduce_sum(tf.cast(b, tf.float16), -1)
    estimate = _gradient(q, f, f)
    assert estimate.value.dtype == tf.float32


# --- kinds of parameters ---------------------------------------------------

_VALUES = [[0.25, 0.5], [0.75, 0.125]]
_KINDS = {
    "list": lambda: _VALUES,
    "numpy32": lambda: np.array(_VALUES, np.float32),
    "numpy64": lambda: np.array(_VALUES),
    "variable": lambda: tf.Variable(_VALUES),
    "keras_variable": lambda: keras.Variable(_VALUES),
}


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize(
    "family", ["bernoulli_logits", "bernoulli_probs", "categorical_logits"]
)
def test_kinds_of_parameters(family, kind):
    make = _FAMILIES[family]
    expected = _gradient(make(tf.constant(_VALUES)), _sum(-1), _sum(-1))
    found = _gradient(make(_KINDS[kind]()), _sum(-1), _sum(-1))
    for name, gradient in expected.gradients.items():
        np.testing.assert_array_equal(found.gradients[name], gradient)


@pytest.mark.parametrize("kind", ["list", "numpy32", "variable"])
def test_kinds_of_parameters_of_a_normal(kind):
    make = lambda loc: tfrd.Normal(loc=loc, scale=1.0)
    expected = _gradient(make(tf.constant(_VALUES)), _sum(-1), _sum(-1))
    found = _gradient(make(_KINDS[kind]()), _sum(-1), _sum(-1))
    for name, gradient in expected.gradients.items():
        np.testing.assert_array_equal(found.gradients[name], gradient)


def test_python_numbers_are_scalars():
    estimate = tfrd.Bernoulli(probs=0.3).relax_gradient(
        tf.sin, tf.sin, seed=_SEED
    )
    assert estimate.gradients["probs"].shape == []
    estimate = tfrd.Normal(0.0, 2.0).lax_gradient(tf.sin, tf.sin, seed=_SEED)
    assert {n: g.shape for n, g in estimate.gradients.items()} == {
        "loc": [],
        "scale": [],
    }


@pytest.mark.parametrize("kind", [tf.Variable, keras.Variable])
def test_a_variable_gets_its_gradient_from_a_tape(kind):
    variable = kind(_VALUES)
    with tf.GradientTape() as tape:
        values = tfr.expectation(
            _sum(-1),
            tfrd.Bernoulli(logits=variable),
            estimator=tfr.Reinforce(),
            seed=_SEED,
        )
        loss = tf.reduce_sum(values)
    estimate = tfrd.Bernoulli(_VALUES).reinforce_gradient(_sum(-1), seed=_SEED)
    source = getattr(variable, "value", variable)
    source = variable if callable(source) else source
    np.testing.assert_array_equal(
        tape.gradient(loss, source), estimate.gradients["logits"]
    )


def test_parameters_follow_a_variable():
    variable = tf.Variable([[-100.0, -100.0]])
    q = tfrd.Bernoulli(logits=variable)
    mean = lambda: q.reinforce_gradient(_sum(-1), seed=_SEED).sample
    np.testing.assert_array_equal(mean(), [[0.0, 0.0]])
    variable.assign([[100.0, 100.0]])
    np.testing.assert_array_equal(mean(), [[1.0, 1.0]])


def test_context_reaches_the_control_variate():
    context = tf.constant([[1.0], [3.0]])
    q = tfrd.Bernoulli(tf.zeros([2, 2]))
    c = tfr.control_variates.Network((4,), "tanh")
    first = q.relax_gradient(_sum(-1), c, seed=_SEED, context=context)
    second = q.relax_gradient(_sum(-1), c, seed=_SEED, context=-context)
    assert not np.allclose(
        first.gradients["logits"], second.gradients["logits"]
    )


@pytest.mark.parametrize(
    "name", [n for n in _SHAPES if not n.startswith(("normal", "mvn"))]
)
@pytest.mark.parametrize("method", cases.METHODS)
def test_every_estimator_takes_every_shape(method, name):
    q, f, value, sample = _SHAPES[name]
    draw = q.draw(_SEED)
    if not isinstance(draw, cases.example(method).needs):
        return
    estimator = cases.example(method)
    if "zero" in cases.METHODS[method].control_variates:
        estimator = cases.METHODS[method].make(f)
    if hasattr(estimator, "event_ndims"):
        estimator = type(estimator)(event_ndims=len(sample) - len(value))
    estimate = estimator.estimate(
        f, q, seed=_SEED, num_samples=min(cases.METHODS[method].num_samples, 2)
    )
    assert estimate.value.shape == value
    logits = q.given_parameters().get("logits", draw.mean)
    assert estimate.gradients["logits"].shape == logits.shape
