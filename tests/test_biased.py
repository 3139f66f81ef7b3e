"""Biased estimators: that they are, by how much, and of what they are exact."""

import itertools

import cases
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import testing

_TEMPERATURES = (0.1, 0.5, 1.0)
_FAMILIES = ("bernoulli", "categorical")
# The f of all tests is quadratic in each unit, the other is not.
_FUNCTIONS = {"quadratic": lambda x: x.f, "sine": lambda x: x.sine}
_CASES = [
    (name, family, temperature, function)
    for name, (_, temperatures) in cases.BIASED.items()
    for family, temperature, function in itertools.product(
        _FAMILIES, temperatures, _FUNCTIONS
    )
]
_FALSE_FAIL_RATE = 1e-6
# Of second order: without bias where f is quadratic in each unit.
_EXACT = {("reinmax", "quadratic")}


@pytest.mark.parametrize(
    "case", _CASES, ids=lambda case: "-".join(map(str, case))
)
def test_bias_is_seen_and_measured(case, vary_seed, record_property):
    name, family, temperature, function = case
    f = _FUNCTIONS[function](cases.FAMILIES[family])
    draws = cases.draw_gradients(
        cases.BIASED[name][0](temperature),
        cases.FAMILIES[family],
        cases.seed_of(*case, vary_seed=vary_seed),
        f=f,
    )["logits"].numpy()
    exact = cases.FAMILIES[family].exact(f)["logits"]
    z = np.abs(testing.z_scores(draws, exact)).max()
    norm = np.linalg.norm(exact)
    error = draws.std(0, ddof=1) / np.sqrt(len(draws)) / norm
    bias = np.linalg.norm(draws.mean(0) - exact) / norm
    for key, value in {
        "estimator": name,
        "distribution": family,
        "temperature": temperature,
        "function": function,
        "draws": len(draws),
        "relative_bias": f"{bias:.4f}",
        "standard_error": f"{np.linalg.norm(error):.4f}",
        "largest_abs_z": f"{z:.1f}",
    }.items():
        record_property(key, value)
    rates = {"false_fail_rate": _FALSE_FAIL_RATE, "num_tests": len(_CASES)}
    critical = testing.critical_z(exact.size, **rates)
    if (name, function) in _EXACT:
        assert z < critical
    elif temperature != 0.1:  # Cold, there is less to see, in more noise.
        assert z > critical


@pytest.mark.parametrize("family", ["Bernoulli", "OneHotCategorical"])
def test_a_gap_of_the_probability_that_the_outcome_had(family):
    q = getattr(tfr.distributions, family)(logits=tf.zeros([50, 2]))
    f = lambda b: tf.reduce_sum((b - [0.2, 0.7]) ** 2, -1) ** 2
    found, expected = (
        tfr.GappedStraightThrough(gap=gap).estimate(f, q, seed=(0, 0))
        for gap in (None, -np.log(0.5) / 0.5)
    )
    np.testing.assert_allclose(
        found.gradients["logits"], expected.gradients["logits"], rtol=1e-5
    )


@pytest.mark.parametrize("temperature", _TEMPERATURES)
def test_concrete_is_exact_for_the_relaxed_objective(temperature):
    # One unit: E[f(sigmoid(z / lambda))] is an integral over u in (0, 1).
    logit, num = 0.7, 200_000
    u = tf.constant((np.arange(num) + 0.5) / num)
    f = lambda s: (s - 0.3) ** 3 + tf.sin(2.0 * s)
    with tf.GradientTape() as tape:
        point = tf.constant(logit, tf.float64)
        tape.watch(point)
        z = point + tf.math.log(u) - tf.math.log1p(-u)
        mean = tf.reduce_mean(f(tf.sigmoid(z / temperature)))
    exact = np.asarray(tape.gradient(mean, point))
    q = tfr.distributions.Bernoulli(
        logits=tf.fill([cases.NUM_DRAWS, 1], tf.constant(logit, tf.float64))
    )
    estimate = tfr.Concrete(temperature).estimate(
        lambda s: tf.reduce_sum(f(s), -1), q, seed=(3, 4)
    )
    testing.assert_unbiased(
        estimate.gradients["logits"],
        exact[np.newaxis],
        false_fail_rate=_FALSE_FAIL_RATE,
        num_tests=len(_TEMPERATURES),
    )


def test_concrete_trains_f_on_the_relaxed_and_reports_the_hard():
    logits = tf.constant([[0.3, -1.2, 2.0]], tf.float64)
    weight = tf.Variable(1.5, dtype=tf.float64)
    q = tfr.distributions.Bernoulli(logits=logits)
    f = lambda b: tf.reduce_sum((weight * b - 0.4) ** 2, -1)
    with tf.GradientTape() as tape:
        loss = tfr.expectation(f, q, estimator=tfr.Concrete(0.5), seed=(0, 1))
    draw = q.draw((0, 1))
    np.testing.assert_allclose(loss, f(draw.sample), rtol=1e-12)
    relaxed = tf.sigmoid(draw.relaxed / 0.5)
    expected = tf.reduce_sum(2.0 * (weight * relaxed - 0.4) * relaxed)
    # The temperature is what a float32 weight says.
    np.testing.assert_allclose(tape.gradient(loss, weight), expected, rtol=1e-7)


def test_nvil_normalised_is_unbiased_up_to_its_factor():
    family = cases.FAMILIES["bernoulli"]
    estimator = tfr.NVIL(normalize=True)
    for average, value in zip(estimator.averages, (1.7, 4.0), strict=True):
        average.update(tf.constant(value))
    assert float(estimator.deviation()) == pytest.approx(2.0)
    draws = cases.draw_gradients(estimator, family, (8, 1))["logits"]
    testing.assert_unbiased(2.0 * draws, family.exact()["logits"])


def test_nvil_learns_to_predict_f():
    """Its own objective is the squared error, and it is what it minimises."""
    rng = np.random.default_rng(0)
    context = tf.constant(rng.normal(size=[64, 3]), tf.float32)
    target = tf.reduce_sum(context, -1)
    q = tfr.distributions.Bernoulli(logits=tf.zeros([64, 4]))
    f = lambda b: 5.0 * target + tf.reduce_sum(b, -1)
    estimator = tfr.NVIL()
    layer = estimator.control_variate
    layer.build((None, 4), (None, 3))
    rate = 0.02
    for step in range(300):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tfr.expectation(
                    f, q, estimator=estimator, seed=(0, step), context=context
                )
            )
        variables = estimator.trainable_variables
        for variable, gradient in zip(
            variables, tape.gradient(loss, variables), strict=True
        ):
            variable.assign_sub(rate * gradient)
    rest = f(q.draw((1, 1)).sample) - layer(target, context=context)
    # What is left is the draws' own variance, 4 / 4, and some misfit.
    assert np.var(rest) < 0.1 * np.var(5.0 * target)
    assert abs(float(estimator.averages[0].read()) - np.mean(rest)) < 0.5


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_nvil_takes_a_black_box(mode):
    q = tfr.distributions.Bernoulli(logits=tf.zeros([4, 3]))
    f = lambda b: np.asarray(b).sum(-1)
    estimator = tfr.NVIL()
    estimator.control_variate.build((None, 3))  # Variables, before a graph.
    run = lambda: tfr.expectation(f, q, estimator=estimator, seed=(0, 0))
    value = cases.MODES[mode](run)()
    np.testing.assert_allclose(value, f(q.draw((0, 0)).sample))


def test_nvil_refuses_a_baseline_that_sees_z():
    with pytest.raises(TypeError, match="does not see z"):
        tfr.NVIL(tfr.control_variates.Network((4,)))


@pytest.mark.parametrize("make", [tfr.RELAX, lambda c: tfr.NVIL()])
def test_the_first_gradient_reaches_an_unbuilt_control_variate(make):
    estimator = make(tfr.control_variates.Network((5,)))
    q = tfr.distributions.Bernoulli(logits=tf.zeros([4, 3]))
    f = lambda b: tf.reduce_sum(b, -1) ** 2
    with tf.GradientTape() as tape:
        loss = tfr.expectation(f, q, estimator=estimator, seed=(0, 0))
    variables = [v.value for v in estimator.trainable_variables]
    assert variables
    assert all(g is not None for g in tape.gradient(loss, variables))
