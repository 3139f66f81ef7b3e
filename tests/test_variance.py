"""The variance objective: its derivative, and that following it helps."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import control_variates as cv
from tf_relax import testing

tfrd = tfr.distributions
_SEED = (2, 9)
_ROWS = 6


def _free_form(family):
    """`s * (f(squash(z / lambda)) + network(z))`, or without the relaxed f."""
    c = cv.Network(
        (3,), "tanh", event_ndims=family.event_ndims, dtype="float64"
    )
    if family.discrete:
        c = cv.Sum([cv.RelaxedFunction(0.6, dtype="float64"), c])
    c = cv.Scaled(c, 0.8, dtype="float64")
    c.build(tuple(family.rows(1).draw(_SEED).sample.shape))
    return c


def _assert_is_derivative(objective, variables, gradients):
    """Asserts that `gradients` are those of `objective` at the variables.

    Along two random directions, by a difference formula whose error is of
    fourth order: below 1e-9 for these steps in float64.
    """
    rng = np.random.default_rng(0)
    start = [np.array(v) for v in variables]

    def at(step, direction):
        for v, x, d in zip(variables, start, direction, strict=True):
            v.assign(x + step * d)
        return float(objective())

    for _ in range(2):
        direction = [rng.normal(size=x.shape) for x in start]
        h = 5e-4
        near = at(h, direction) - at(-h, direction)
        far = at(2 * h, direction) - at(-2 * h, direction)
        numeric = (8.0 * near - far) / (12.0 * h)
        exact = sum(
            np.sum(np.array(g) * d)
            for g, d in zip(gradients, direction, strict=True)
        )
        np.testing.assert_allclose(exact, numeric, rtol=1e-6)
    at(0.0, direction)


def _squares(tensors):
    return sum(tf.reduce_sum(tf.square(x)) for x in tensors)


_LEARNED = [
    pytest.param(method, family, id=f"{method}-{family}")
    for method, family in cases.pairs()
    if "network" in cases.METHODS[method].control_variates
    and not family.startswith("independent")
]


@pytest.mark.parametrize(("method", "family"), _LEARNED)
def test_variance_gradients_are_those_of_the_squared_norms(method, family):
    method, family = cases.METHODS[method], cases.FAMILIES[family]
    estimator = method.make(_free_form(family))

    def estimate():
        return estimator.estimate(
            family.f,
            family.rows(_ROWS),
            seed=_SEED,
            num_samples=method.num_samples,
        )

    _assert_is_derivative(
        lambda: _squares(estimate().gradients.values()),
        estimator.trainable_variables,
        estimate().variance_gradients,
    )


@pytest.mark.parametrize("coupled", [True, False])
def test_rebar_learns_temperature_and_scale(coupled):
    family = cases.FAMILIES["bernoulli"]
    c = cv.Scaled(cv.RelaxedFunction(0.6, dtype="float64"), dtype="float64")
    estimator = tfr.REBAR(control_variate=c, coupled=coupled)
    q = family.rows(_ROWS)
    estimate = lambda: estimator.estimate(family.f, q, seed=_SEED)
    _assert_is_derivative(
        lambda: _squares(estimate().gradients.values()),
        estimator.trainable_variables,
        estimate().variance_gradients,
    )


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("shape", [[], [3], [1], [_ROWS, 1]])
def test_a_shared_scale_is_summed_within_each_example(shape, num_samples):
    family = cases.FAMILIES["normal"]
    estimator = tfr.LAX(_free_form(family))
    loc = family.rows(_ROWS).loc
    shared = tf.fill(shape, tf.constant(0.7, tf.float64))

    def estimate(scale):
        return estimator.estimate(
            family.f,
            tfrd.Normal(loc, scale),
            seed=_SEED,
            num_samples=num_samples,
        )

    def objective():  # With a scale of its own for every example and unit.
        gradients = estimate(tf.broadcast_to(shared, loc.shape)).gradients
        by_scale = gradients["scale"]
        if shape != [3]:
            by_scale = tf.reduce_sum(by_scale, -1)
        return _squares([gradients["loc"], by_scale])

    found = estimate(shared)
    assert found.gradients["scale"].shape == shape
    _assert_is_derivative(
        objective, estimator.trainable_variables, found.variance_gradients
    )


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize(
    ("method", "family"),
    [
        ("relax", "bernoulli"),
        ("relax_independent", "categorical"),
        ("dlax", "bernoulli"),
        ("lax", "normal"),
    ],
)
def test_weight_gradients_minimise_the_norm_of_their_own(
    method, family, num_samples
):
    family = cases.FAMILIES[family]
    estimator = cases.METHODS[method].make(_free_form(family))
    # A source that acts on every parameter of every example.
    source = tf.Variable([1.0, 0.5], dtype=tf.float64)

    def make_distribution():
        shift = source[1] * tf.range(_ROWS, dtype=tf.float64) / _ROWS
        tiled = family.rows(_ROWS).given_parameters()
        return family.make(
            **{
                name: source[0] * x
                + tf.reshape(shift, [-1] + [1] * (x.shape.rank - 1))
                for name, x in tiled.items()
            }
        )

    def result():
        return tfr.weight_gradients(
            family.f,
            make_distribution,
            [source],
            estimator=estimator,
            seed=_SEED,
            num_samples=num_samples,
        )

    _assert_is_derivative(
        lambda: _squares(result().gradients),
        estimator.trainable_variables,
        result().variance_gradients,
    )


@pytest.mark.parametrize("num_samples", [1, 3])
def test_weight_gradients_are_those_of_the_mean_expectation(num_samples):
    family = cases.FAMILIES["bernoulli"]
    estimator = tfr.RELAX(_free_form(family))
    source = tf.Variable(family.rows(_ROWS).logits)
    options = {
        "estimator": estimator,
        "seed": _SEED,
        "num_samples": num_samples,
    }
    make = lambda: tfrd.Bernoulli(logits=tf.tanh(source))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tfr.expectation(family.f, make(), **options))
    expected = tape.gradient(loss, source)
    result = tfr.weight_gradients(family.f, make, [source], **options)
    np.testing.assert_allclose(result.value, loss, rtol=1e-12)
    np.testing.assert_allclose(
        result.gradients[0], expected, rtol=1e-11, atol=1e-14
    )


def _by_method(f, q, baseline):
    q.reinforce_gradient(f, seed=_SEED, baseline=baseline)


def _by_expectation(f, q, baseline):
    tfr.expectation(f, q, estimator=tfr.Reinforce(baseline), seed=_SEED)


def _by_weights(f, q, baseline):
    logits = tf.Variable(q.logits)
    tfr.weight_gradients(
        f,
        lambda: tfrd.Bernoulli(logits=logits),
        [logits],
        estimator=tfr.Reinforce(baseline),
        seed=_SEED,
    )


@pytest.mark.parametrize("use", [_by_method, _by_expectation, _by_weights])
def test_moving_average_is_the_mean_of_earlier_values(use):
    baseline = tfr.estimators.MovingAverage(decay=0.5)
    q = tfrd.Bernoulli(logits=tf.zeros([4, 2]))
    for value in [2.0, 6.0]:
        use(lambda b, value=value: 0.0 * b[:, 0] + value, q, baseline)
    # (0.25 * 2 + 0.5 * 6) / 0.75
    np.testing.assert_allclose(baseline.read(), 14 / 3, rtol=1e-6)


def test_moving_average_is_used_before_the_value_enters_it():
    baseline = tfr.estimators.MovingAverage()
    baseline.update(tf.constant(1.5))
    q = tfrd.Bernoulli(logits=tf.zeros([4, 2]))
    f = lambda b: tf.reduce_sum(b, -1)
    found = q.reinforce_gradient(f, seed=_SEED, baseline=baseline)
    expected = q.reinforce_gradient(lambda b: f(b) - 1.5, seed=_SEED)
    np.testing.assert_allclose(
        found.gradients["logits"], expected.gradients["logits"], rtol=1e-6
    )


# --- Following it: the toy of the paper at theta = 1/2 ---------------------


def _f(b):
    return tf.reduce_sum((b - 0.499) ** 2, -1)


def _log_variance(estimator, num_draws=20_000):
    """Of draws of the gradient by the logit."""
    q = tfrd.Bernoulli(logits=tf.zeros([num_draws, 1]))
    gradients = estimator.estimate(_f, q, seed=(5, 5)).gradients
    return float(np.log(np.var(gradients["logits"])))


@pytest.mark.parametrize("black_box", [True, False])
def test_training_only_the_control_variate_removes_the_variance(black_box):
    network = cv.Network((10,), "tanh", temperature=0.5)
    c = network if black_box else cv.RelaxedFunction(0.5) + network
    c.build((None, 1))
    estimator = tfr.RELAX(c)
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(c.trainable_variables)
    q = tfrd.Bernoulli(logits=tf.zeros([100, 1]))

    @tf.function
    def train_step(step):
        seed = tf.stack([1, step])
        estimate = estimator.estimate(_f, q, seed=seed)
        optimizer.apply(estimate.variance_gradients, c.trainable_variables)

    for step in range(500):
        train_step(tf.constant(step))
    # REINFORCE's is -4.159, see test_laws.
    assert _log_variance(estimator) < -9.0


def test_a_trained_control_variate_stays_unbiased(vary_seed):
    family = cases.FAMILIES["bernoulli"]
    c = cv.RelaxedFunction(0.5) + cv.Network((6,), "tanh")
    c.build((None, 4))
    estimator = tfr.RELAX(c)
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build(c.trainable_variables)
    for step in range(30):
        estimate = estimator.estimate(family.f, family.rows(50), seed=(4, step))
        optimizer.apply(estimate.variance_gradients, c.trainable_variables)
    seed = cases.seed_of("trained", vary_seed=vary_seed)
    draws = cases.draw_gradients(estimator, family, seed)
    testing.assert_unbiased(draws, family.exact(), detects=0.3)
