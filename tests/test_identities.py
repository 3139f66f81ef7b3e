"""What must hold exactly, up to rounding; but for means, no Monte Carlo."""

import itertools
import math

import cases
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tf_relax as tfr
from tf_relax import control_variates as cv
from tf_relax import relaxations
from tf_relax import testing

tfd = tfp.distributions
tfrd = tfr.distributions
_SEED = (11, 4)
_DISCRETE = [name for name, x in cases.FAMILIES.items() if x.discrete]
_CONTINUOUS = [name for name, x in cases.FAMILIES.items() if not x.discrete]


def _assert_close(actual, expected, rtol=1e-11):
    """Asserts equality up to the rounding of some operations in float64."""
    tf.nest.assert_same_structure(actual, expected)
    for x, y in zip(
        tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-13)


def _gradients(estimator, family, num_samples=1):
    return estimator.estimate(
        family.f, family.rows(50), seed=_SEED, num_samples=num_samples
    ).gradients


# --- Estimators that must agree --------------------------------------------


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize(
    ("method", "family"),
    [
        pytest.param(method, family, id=f"{method}-{family}")
        for method, family in cases.pairs()
        if "zero" in cases.METHODS[method].control_variates
        and "_k" not in method
    ],
)
def test_no_control_variate_is_reinforce(method, family, num_samples):
    estimator = cases.estimator_of(method, family, "zero")
    family = cases.FAMILIES[family]
    _assert_close(
        _gradients(estimator, family, num_samples),
        _gradients(tfr.Reinforce(), family, num_samples),
    )


def _pathwise_by_autodiff(q, f, sample):
    """The derivative of f(loc + scale * noise), at the noise of a sample."""
    parameters = q.given_parameters()
    loc, scale = parameters.values()
    noise = (sample - loc) / scale
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        value = f(loc + scale * noise)
    return tape.gradient(value, parameters)


@pytest.mark.parametrize("family", _CONTINUOUS)
def test_lax_with_f_itself_is_the_reparameterised_gradient(family):
    family = cases.FAMILIES[family]
    q = family.rows(50)
    estimate = tfr.LAX(family.f).estimate(family.f, q, seed=_SEED)
    expected = _pathwise_by_autodiff(q, family.f, estimate.sample)
    # (f - c) is an exact zero; the noise was recovered by a division.
    _assert_close(estimate.gradients, expected, rtol=1e-9)


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("family", _DISCRETE)
def test_relax_with_the_relaxed_f_is_rebar(family, coupled):
    family = cases.FAMILIES[family]
    q = family.rows(50)
    # Keras rounds initial values to float32: log(temperature) is exact there.
    temperature, scale = math.exp(-0.5), 1.25
    c = lambda z: scale * family.f(q.squash(z / temperature))
    relax = tfr.RELAX(c, coupled=coupled).estimate(family.f, q, seed=_SEED)
    method = q.rebar_gradient(
        family.f,
        seed=_SEED,
        temperature=temperature,
        scale=scale,
        coupled=coupled,
    )
    _assert_close(method.gradients, relax.gradients)
    c = cv.Scaled(
        cv.RelaxedFunction(temperature, dtype="float64"), scale, dtype="float64"
    )
    rebar = tfr.REBAR(control_variate=c, coupled=coupled)
    _assert_close(_gradients(rebar, family), relax.gradients)


_CALLS = {
    "relax": ("bernoulli", lambda c: tfr.RELAX(c), {}),
    "relax_independent": (
        "bernoulli",
        lambda c: tfr.RELAX(c, coupled=False),
        {"coupled": False},
    ),
    "dlax": ("bernoulli", lambda c: tfr.DLAX(c), {}),
    "lax": ("normal", lambda c: tfr.LAX(c), {}),
}


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("call", _CALLS)
def test_methods_are_calls_of_the_objects(call, num_samples):
    family, make, kwargs = _CALLS[call]
    family = cases.FAMILIES[family]
    q, c = family.rows(5), cv.Network((3,), "tanh")
    options = {
        "seed": _SEED,
        "num_samples": num_samples,
        "context": tf.fill([5, 1], 0.3),
    }
    method = getattr(q, f"{call.split('_')[0]}_gradient")
    _assert_close(
        tuple(method(family.f, c, **options, **kwargs)),
        tuple(make(c).estimate(family.f, q, **options)),
    )


@pytest.mark.parametrize("num_samples", [2, 4])
def test_leave_one_out_written_out(num_samples):
    family = cases.FAMILIES["bernoulli"]
    q = family.rows(5)
    estimate = q.leave_one_out_gradient(
        family.f, seed=_SEED, num_samples=num_samples
    )
    b, p = estimate.sample, tf.sigmoid(q.logits)
    value = family.f(b)
    expected = tf.zeros_like(p)
    for k in range(num_samples):
        others = [value[j] for j in range(num_samples) if j != k]
        signal = value[k] - tf.reduce_mean(others, 0)
        expected += signal[:, tf.newaxis] * (b[k] - p) / num_samples
    _assert_close(estimate.gradients, {"logits": expected})


# --- Scores, against autodiff of TFP's densities ---------------------------


@pytest.mark.parametrize("family", cases.FAMILIES)
def test_score_is_the_derivative_of_log_prob(family):
    q = cases.FAMILIES[family].rows(50)
    draw, parameters = q.draw(_SEED), q.given_parameters()
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        log_prob = q.log_prob(draw.sample)
    expected = tape.gradient(log_prob, parameters)
    _assert_close(q.pull_back(draw.score), expected, rtol=1e-9)


def _logistic(logits):
    return tfd.Logistic(logits, tf.ones([], logits.dtype))


def _gumbel(logits):
    return tfd.Gumbel(tf.nn.log_softmax(logits), tf.ones([], logits.dtype))


@pytest.mark.parametrize(
    ("family", "density"), [("bernoulli", _logistic), ("categorical", _gumbel)]
)
def test_relaxed_score_is_the_derivative_of_the_log_density(family, density):
    q = cases.FAMILIES[family].rows(50)
    draw = q.draw(_SEED)
    z = tf.stop_gradient(draw.relaxed)
    with tf.GradientTape() as tape:
        tape.watch(q.logits)
        log_density = density(q.logits).log_prob(z)
    expected = tape.gradient(log_density, q.logits)
    _assert_close(draw.relaxed_score, {"logits": expected}, rtol=1e-9)


# --- z, z | b and their derivatives, against the textbook's forms ----------


def _textbook_bernoulli(logits, b, v):
    """App. B: v' is uniform on the side of 1 - p where b says."""
    p = tf.sigmoid(logits)
    v = tf.where(b > 0, 1.0 - p + v * p, v * (1.0 - p))
    return logits + tf.math.log(v) - tf.math.log1p(-v)


def _textbook_categorical(logits, b, v):
    """App. B, with -log v_i unit exponentials."""
    e = -tf.math.log(v)
    e_b = tf.reduce_sum(b * e, -1, keepdims=True)
    return -tf.math.log(tf.where(b > 0, e, e / tf.nn.softmax(logits) + e_b))


def _v_that_couples_bernoulli(logits, u, b):
    not_p = tf.sigmoid(-logits)
    return tf.where(b > 0, (u - not_p) / (1.0 - not_p), u / not_p)


def _v_that_couples_categorical(logits, u, b):
    z = tf.nn.log_softmax(logits) - tf.math.log(-tf.math.log(u))
    race = tf.exp(-z)
    first = tf.reduce_sum(b * race, -1, keepdims=True)
    others = tf.nn.softmax(logits) * (race - first)
    return tf.exp(-tf.where(b > 0, race, others))


_TEXTBOOK = [
    pytest.param(
        relaxations.bernoulli_draw,
        _textbook_bernoulli,
        _v_that_couples_bernoulli,
        id="bernoulli",
    ),
    pytest.param(
        relaxations.categorical_draw,
        _textbook_categorical,
        _v_that_couples_categorical,
        id="categorical",
    ),
]


def _noise(shape):
    """Returns logits, two uniforms and a derivative by z, all of a shape."""
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(scale=2.0, size=shape))
    u, v = (tf.constant(x) for x in rng.uniform(size=[2, *shape]))
    return logits, u, v, tf.constant(rng.normal(size=shape))


@pytest.mark.parametrize(("make", "textbook", "couple"), _TEXTBOOK)
def test_z_given_b_and_its_derivative(make, textbook, couple):
    del couple
    logits, u, v, derivative = _noise([100, 4])
    draw = make(logits, u, v)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        zt = textbook(logits, draw.sample, v)
    _assert_close(draw.conditional(), zt, rtol=1e-9)
    expected = tape.gradient(zt, logits, output_gradients=derivative)
    found = draw.conditional_pathwise(draw.conditional(), derivative)
    _assert_close(found, {"logits": expected}, rtol=1e-9)


@pytest.mark.parametrize(("make", "textbook", "couple"), _TEXTBOOK)
def test_derivative_where_the_noises_make_zt_equal_z(make, textbook, couple):
    logits, u, _, derivative = _noise([100, 4])
    draw = make(logits, u, u)
    v = couple(logits, u, draw.sample)  # Held fixed, as noise is.
    with tf.GradientTape() as tape:
        tape.watch(logits)
        z = make(logits, u, u).relaxed
        zt = textbook(logits, draw.sample, v)
        difference = z - zt
    np.testing.assert_allclose(difference, 0.0, atol=1e-9)
    expected = tape.gradient(difference, logits, output_gradients=derivative)
    found = draw.coupled_pathwise(derivative)
    _assert_close(found, {"logits": expected}, rtol=1e-8)


@pytest.mark.parametrize(("make", "textbook", "couple"), _TEXTBOOK)
def test_derivative_of_z(make, textbook, couple):
    del textbook, couple
    logits, u, v, derivative = _noise([100, 4])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        draw = make(logits, u, v)
    expected = tape.gradient(draw.relaxed, logits, output_gradients=derivative)
    _assert_close(draw.pathwise(derivative), {"logits": expected}, rtol=1e-9)


def test_probs_get_the_gradient_of_their_logits():
    p = tf.constant([[0.1, 0.6, 0.9]], tf.float64)
    f = lambda b: tf.reduce_sum(b, -1) ** 2
    c = lambda z: tf.reduce_sum(tf.sin(z), -1)
    with tf.GradientTape() as tape:
        tape.watch(p)
        logits = tf.math.log(p / (1.0 - p))
    by_logits = tfrd.Bernoulli(logits=logits).relax_gradient(f, c, seed=_SEED)
    by_probs = tfrd.Bernoulli(probs=p).relax_gradient(f, c, seed=_SEED)
    _assert_close(
        by_probs.gradients["probs"],
        tape.gradient(logits, p, by_logits.gradients["logits"]),
    )


# --- Estimators of several samples -----------------------------------------


@pytest.mark.parametrize("family", cases.FAMILIES)
def test_the_loss_of_vargrad_has_the_derivative_of_leave_one_out(family):
    family = cases.FAMILIES[family]
    q = family.rows(50)
    options = {"seed": _SEED, "num_samples": 3}
    with tf.GradientTape() as tape:
        tape.watch(q.given_parameters())
        loss = tfr.VarGrad().loss(family.f, q, **options)
    assert loss.shape == [50]
    estimate = tfr.LeaveOneOut().estimate(family.f, q, **options)
    _assert_close(
        tape.gradient(loss, q.given_parameters()), estimate.gradients, 1e-9
    )
    # Half the variance of the samples.
    value = family.f(estimate.sample)
    _assert_close(loss, 0.75 * tf.math.reduce_variance(value, 0))


def test_arms_of_two_samples_is_disarm():
    family = cases.FAMILIES["bernoulli"]
    q = family.rows(50)
    estimate = tfr.ARMS().estimate(family.f, q, seed=_SEED)
    first, second = estimate.sample
    difference = family.f(first) - family.f(second)
    expected = 0.5 * difference[:, tf.newaxis] * (first - second)
    _assert_close(
        estimate.gradients["logits"], expected * tf.sigmoid(abs(q.logits))
    )


_AT_THE_ENDS_OF_BETA = {
    "relax": (lambda c: tfr.RELAXK(c, 0.0), tfr.RELAX, "good"),
    "rebar": (
        lambda c: tfr.REBARK(beta=0.0, control_variate=c),
        lambda c: tfr.REBAR(control_variate=c),
        "good",
    ),
    "leave_one_out": (
        lambda c: tfr.RELAXK(c, 1.0),
        lambda c: tfr.LeaveOneOut(),
        "zero",
    ),
    "disarm": (
        lambda c: tfr.RELAXDisARM(c, 1.0),
        lambda c: tfr.DisARM(),
        "zero",
    ),
}


@pytest.mark.parametrize("name", _AT_THE_ENDS_OF_BETA)
def test_what_is_left_at_the_ends_of_beta(name):
    make, known, c = _AT_THE_ENDS_OF_BETA[name]
    family = cases.FAMILIES["bernoulli"]
    c = cases.CONTROL_VARIATES[c](family)
    _assert_close(
        _gradients(make(c), family, 4), _gradients(known(c), family, 4)
    )


def test_disarm_is_the_mean_of_arm_given_the_pair():
    family = cases.FAMILIES["bernoulli"]
    q = family.rows(50_000)
    arm = tfr.ARM().estimate(family.f, q, seed=_SEED)
    disarm = tfr.DisARM().estimate(family.f, q, seed=_SEED)
    np.testing.assert_array_equal(arm.sample, disarm.sample)
    difference = arm.gradients["logits"] - disarm.gradients["logits"]
    testing.assert_unbiased(
        difference + 1.0, np.ones(4), num_tests=1, detects=0.05
    )


def test_as_many_different_samples_as_outcomes_are_exact():
    logits = tf.constant([[1.5, -1.0, 0.3, -1.5]], tf.float64)
    q = tfrd.OneHotCategorical(logits=logits)
    f = lambda b: tf.reduce_sum(b * np.array([0.3, -1.0, 2.0, 0.5]), -1) ** 3
    exact = testing.exact_gradient(q, f)
    for estimator, num_samples in (
        (tfr.UnorderedSet(), 4),
        (tfr.Enumeration(), None),
        (tfr.LocalExpectation(), 1),
    ):
        estimate = estimator.estimate(f, q, seed=_SEED, num_samples=num_samples)
        _assert_close(estimate.gradients["logits"], exact["logits"], 1e-9)
    for estimator, num_samples in (
        (tfr.UnorderedSet(), 4),
        (tfr.Enumeration(), None),
    ):
        value = tfr.expectation(
            f, q, estimator=estimator, seed=_SEED, num_samples=num_samples
        )
        _assert_close(value, testing.exact_expectation(q, f))


def test_enumeration_trains_what_f_uses_on_the_exact_expectation():
    weight = tf.Variable([0.3, -1.0, 2.0], dtype=tf.float64)
    q = tfrd.Bernoulli(logits=tf.constant([[0.3, -1.2, 2.0]], tf.float64))
    f = lambda b: tf.sin(tf.reduce_sum(b * weight, -1))
    with tf.GradientTape() as tape:
        loss = tfr.expectation(f, q, estimator=tfr.Enumeration(), seed=(0, 0))
    with tf.GradientTape() as exact:
        b = tf.constant(list(itertools.product([0.0, 1.0], repeat=3)))
        b = tf.cast(b, tf.float64)
        p = tf.exp(tf.reduce_sum(q.log_prob(b), -1))
        mean = tf.reduce_sum(p * f(b))
    _assert_close(tape.gradient(loss, weight), exact.gradient(mean, weight))


@pytest.mark.parametrize("family", ["bernoulli", "categorical"])
def test_gumbel_rao_is_the_mean_of_straight_through_given_b(family):
    family = cases.FAMILIES[family]
    q = family.rows(20_000)
    means = [
        estimator.estimate(family.f, q, seed=_SEED).gradients["logits"]
        for estimator in (tfr.GumbelRao(0.7), tfr.GumbelStraightThrough(0.7))
    ]
    testing.assert_unbiased(
        means[0] - means[1] + 1.0, np.ones(q.logits.shape[1:]), detects=0.1
    )
