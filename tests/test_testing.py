"""`tf_relax.testing` itself: the oracle, and the two error rates."""

import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import testing

tfrd = tfr.distributions


def test_exact_gradient_of_a_product_of_bernoullis():
    p = np.array([0.2, 0.5, 0.9])
    q = tfrd.Bernoulli(logits=tf.constant(np.log(p / (1 - p))))
    f = lambda b: tf.reduce_prod(b, -1)
    np.testing.assert_allclose(
        testing.exact_gradient(q, f)["logits"],
        p.prod() * (1 - p),
        rtol=1e-12,
    )


def test_exact_gradient_of_two_one_hot_units():
    p = np.array([[0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])
    q = tfrd.OneHotCategorical(logits=tf.constant(np.log(p)))
    # P(both are of class 0): d / d logit_k of p_0 is p_0 (1[k = 0] - p_k).
    f = lambda b: b[..., 0, 0] * b[..., 1, 0]
    both = p[0, 0] * p[1, 0]
    np.testing.assert_allclose(
        testing.exact_gradient(q, f)["logits"],
        both * (np.array([1.0, 0.0, 0.0]) - p),
        rtol=1e-12,
    )


def test_exact_gradient_has_the_part_through_f():
    p = tf.constant([0.3], tf.float64)
    q = tfrd.Bernoulli(probs=p)
    f = lambda b: b[..., 0] * q.probs[0] ** 2  # E = p^3.
    np.testing.assert_allclose(
        testing.exact_gradient(q, f)["probs"], [3 * 0.3**2], rtol=1e-12
    )


def test_exact_gradient_sums_over_a_batch_and_over_shared_parameters():
    rows = tf.constant([[0.1, -2.0], [1.0, 0.5]], tf.float64)
    f = lambda b: b[..., 0] * b[..., 1]
    batch = testing.exact_gradient(tfrd.Bernoulli(logits=rows), f)["logits"]
    for row, gradient in zip(rows, batch, strict=True):
        alone = testing.exact_gradient(tfrd.Bernoulli(logits=row), f)
        np.testing.assert_allclose(gradient, alone["logits"], rtol=1e-12)


@pytest.mark.parametrize("independent", [False, True])
def test_exact_expectation_keeps_the_batch(independent):
    q = tfrd.Bernoulli(probs=[[0.5, 0.5], [0.25, 1.0]])
    if independent:
        q = tfrd.Independent(q, 1)
    f = lambda b: b[..., 0] * b[..., 1]
    np.testing.assert_allclose(testing.exact_expectation(q, f), [0.25, 0.25])


def test_oracle_refuses_a_continuous_distribution():
    with pytest.raises(TypeError, match="Received: Normal"):
        testing.exact_gradient(tfrd.Normal([0.0], 1.0), lambda b: b[..., 0])


def test_oracle_refuses_too_many_outcomes():
    q = tfrd.Bernoulli(logits=tf.zeros([40]))
    with pytest.raises(ValueError, match=r"2\*\*40"):
        testing.exact_gradient(q, lambda b: tf.reduce_sum(b, -1))


def _normal(mean, num=10_000):
    return np.random.default_rng(0).normal(mean, size=[num, len(mean)])


def test_returns_the_largest_z_score():
    mean = [1.0, -2.0, 5.0]
    draws = _normal(mean)
    error = draws.mean(0) - mean
    largest = np.abs(error / draws.std(0, ddof=1)).max() * np.sqrt(len(draws))
    np.testing.assert_allclose(
        testing.assert_unbiased(draws, mean), largest, rtol=1e-12
    )


def test_arrays_by_name_are_one_test():
    draws = _normal([1.0, -2.0])
    by_name = {"a": draws[:, 0], "b": draws[:, 1:]}
    np.testing.assert_array_equal(
        testing.z_scores(by_name, {"a": 1.0, "b": [-2.0]}),
        testing.z_scores(draws, [1.0, -2.0]),
    )


def test_sees_a_bias_in_one_coordinate():
    with pytest.raises(AssertionError, match="Biased in 1 of 2 .* number 1"):
        testing.assert_unbiased(_normal([1.0, -2.0]), [1.0, -2.2])


def test_fails_if_it_could_not_see_the_bias_that_matters():
    with pytest.raises(testing.TooFewDrawsError, match="Too few: 100 draws"):
        testing.assert_unbiased(_normal([1.0], 100), [1.0], detects=0.5)


def test_false_fail_rate_is_shared_by_tests_and_coordinates():
    alone = testing.critical_z(1, false_fail_rate=1e-8)
    assert alone == pytest.approx(
        testing.critical_z(5, false_fail_rate=1e-6, num_tests=20)
    )


def test_false_fail_rate_is_what_it_says(vary_seed):
    rng = np.random.default_rng(vary_seed)
    critical = testing.critical_z(1, false_fail_rate=0.05)
    num_tests, fails = 20_000, 0
    for draws in rng.normal(size=[20, 1000, num_tests // 20]):
        z = testing.z_scores(draws, np.zeros(num_tests // 20))
        fails += np.count_nonzero(np.abs(z) > critical)
    # Binomial; six of its standard deviations: itself wrong in 2 of 1e9.
    spread = np.sqrt(num_tests * 0.05 * 0.95)
    assert abs(fails - 0.05 * num_tests) < 6 * spread


def test_variance_is_sound_where_the_mean_is_large():
    draws = _normal([0.0]) + 1e9
    np.testing.assert_allclose(
        testing.z_scores(draws, [1e9]),
        testing.z_scores(draws - 1e9, [0.0]),
        rtol=1e-5,
    )


@pytest.mark.parametrize("value", [0.1, -3e5])
def test_draws_without_variance(value):
    draws = np.full([1000, 1], value)
    testing.assert_unbiased(draws, [value])
    with pytest.raises(AssertionError, match="Biased"):
        testing.assert_unbiased(draws, [value + 1e-6])


def test_draws_that_are_all_zero():
    assert testing.z_scores(np.zeros([10, 1]), [0.0]) == [0.0]
    assert testing.z_scores(np.zeros([10, 1]), [1e-9]) < -1e6


def test_rounding_of_float32_is_no_bias():
    draws = np.full([1000, 1], 0.1, np.float32)
    testing.assert_unbiased(draws, [0.1])
    with pytest.raises(AssertionError, match="Biased"):
        testing.assert_unbiased(draws.astype(np.float64), [0.1])


def test_draws_that_are_not_finite():
    draws = _normal([1.0])
    draws[3] = np.nan
    with pytest.raises(AssertionError, match="1 of the draws' numbers"):
        testing.assert_unbiased(draws, [1.0])


@pytest.mark.parametrize("shape", [[10, 3], [1, 2], [2]])
def test_error_shows_both_shapes(shape):
    with pytest.raises(ValueError, match=r"draws.shape=.*exact.shape=\(2,\)"):
        testing.z_scores(np.zeros(shape), [0.0, 0.0])
