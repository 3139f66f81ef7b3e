"""The laws of z and of z | b, and known variances of the toy problem."""

import cases
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

import tf_relax as tfr
from tf_relax import relaxations
from tf_relax import testing

# Chance that correct code fails anywhere in this file.
_FALSE_FAIL_RATE = 1e-6
_NUM_TESTS = 50
_LEAST_P_VALUE = _FALSE_FAIL_RATE / _NUM_TESTS
_NUM_DRAWS = 100_000


def _bernoulli(logit, seed):
    """Returns z and z | b, as one coordinate each, and b."""
    u, v = _uniforms(seed, [_NUM_DRAWS])
    draw = relaxations.bernoulli_draw(tf.fill(u.shape, logit), u, v)
    return np.array(draw.relaxed), np.array(draw.conditional()), draw.sample


def _categorical(seed):
    logits = tf.constant([2.0, 0.0, -1.0], tf.float64)
    u, v = _uniforms(seed, [_NUM_DRAWS, 3])
    draw = relaxations.categorical_draw(tf.broadcast_to(logits, u.shape), u, v)
    winner = np.argmax(draw.sample, -1)
    return np.array(draw.relaxed), np.array(draw.conditional()), winner


def _uniforms(seed, shape):
    return (
        relaxations.open_uniform(s, shape, tf.float64)
        for s in relaxations.split_seed(seed, 2)
    )


@pytest.mark.parametrize("b", [0, 1])
@pytest.mark.parametrize("logit", [-3.0, 0.0, 1.0])
def test_z_given_b_has_the_law_of_z_where_b(logit, b, vary_seed):
    seed = cases.seed_of(logit, b, vary_seed=vary_seed)
    z, zt, sample = _bernoulli(np.float64(logit), seed)
    here = np.array(sample) == b
    test = scipy.stats.ks_2samp(z[here], zt[here])
    assert test.pvalue > _LEAST_P_VALUE


@pytest.mark.parametrize("logit", [-3.0, 0.0, 1.0])
def test_z_and_zt_are_logistic(logit, vary_seed):
    seed = cases.seed_of(logit, vary_seed=vary_seed)
    z, zt, _ = _bernoulli(np.float64(logit), seed)
    law = scipy.stats.logistic(loc=logit).cdf
    assert scipy.stats.kstest(z, law).pvalue > _LEAST_P_VALUE
    assert scipy.stats.kstest(zt, law).pvalue > _LEAST_P_VALUE


# What is looked at: a coordinate, or a number that their joint law decides.
_LOOKS = {
    "z_0": lambda z: z[:, 0],
    "z_1": lambda z: z[:, 1],
    "z_2": lambda z: z[:, 2],
    "top": lambda z: z.max(-1),
    "gap": lambda z: np.sort(z)[:, -1] - np.sort(z)[:, -2],
    "others": lambda z: np.sort(z)[:, 0] - np.sort(z)[:, 1],
}


@pytest.mark.parametrize("winner", [0, 1, 2])
@pytest.mark.parametrize("look", _LOOKS)
def test_categorical_z_given_b_has_the_law_of_z_where_b(
    look, winner, vary_seed
):
    seed = cases.seed_of(look, winner, vary_seed=vary_seed)
    z, zt, winners = _categorical(seed)
    z, zt = (_LOOKS[look](x[winners == winner]) for x in (z, zt))
    assert scipy.stats.ks_2samp(z, zt).pvalue > _LEAST_P_VALUE


@pytest.mark.parametrize("coordinate", [0, 1, 2])
def test_categorical_z_and_zt_are_gumbel(coordinate, vary_seed):
    seed = cases.seed_of(coordinate, vary_seed=vary_seed)
    z, zt, _ = _categorical(seed)
    log_probs = scipy.special.log_softmax([2.0, 0.0, -1.0])
    law = scipy.stats.gumbel_r(loc=log_probs[coordinate]).cdf
    assert scipy.stats.kstest(z[:, coordinate], law).pvalue > _LEAST_P_VALUE
    assert scipy.stats.kstest(zt[:, coordinate], law).pvalue > _LEAST_P_VALUE


def test_released_categorical_sampler_fails_the_test_of_laws():
    z, zt, winners = _categorical(tf.constant([0, 0]))
    log_probs = scipy.special.log_softmax([2.0, 0.0, -1.0])
    here = winners == 1
    wrong = zt[here, 1] + log_probs[1]  # log p_b + Gumbel.
    assert scipy.stats.ks_2samp(z[here, 1], wrong).pvalue < _LEAST_P_VALUE


# --- The toy of the paper, E[(b - 0.499)^2] at theta = 1/2 -----------------


def _f(b):
    return (b - 0.499) ** 2


def _c(z):
    """REBAR's: eta = 1, lambda = 1/2; with its derivative."""
    s = 1.0 / (1.0 + np.exp(-2.0 * z))
    return _f(s), 2.0 * (s - 0.499) * 2.0 * s * (1.0 - s)


def _coupled_rebar(u):
    b = np.where(u > 0.5, 1.0, 0.0)
    c, derivative = _c(np.log(u / (1 - u)))
    k = np.where(b > 0, 0.5 / u, 0.5 / (1 - u))
    return (_f(b) - c) * (b - 0.5) + k * derivative


def _independent_rebar(v, u):
    b = np.where(u > 0.5, 1.0, 0.0)
    v = np.where(b > 0, 0.5 + 0.5 * v, 0.5 * v)
    slope = np.where(b > 0, 1.0 - 0.5 / v, 1.0 - 0.5 / (1.0 - v))
    c_zt, derivative_zt = _c(np.log(v / (1 - v)))
    _, derivative_z = _c(np.log(u / (1 - u)))
    return (_f(b) - c_zt) * (b - 0.5) + derivative_z - slope * derivative_zt


_EXACT_GRADIENT = 0.25 * (_f(1.0) - _f(0.0))


def _coupled_log_variance():
    square = lambda u: (_coupled_rebar(u) - _EXACT_GRADIENT) ** 2
    halves = [(0.0, 0.5), (0.5, 1.0)]  # It jumps where b does.
    return np.log(sum(scipy.integrate.quad(square, *h)[0] for h in halves))


def _independent_log_variance():
    square = lambda v, u: (_independent_rebar(v, u) - _EXACT_GRADIENT) ** 2
    return np.log(
        sum(
            scipy.integrate.dblquad(square, *h, 0.0, 1.0)[0]
            for h in [(0.0, 0.5), (0.5, 1.0)]
        )
    )


def _reinforce_log_variance():
    return np.log(np.var([_f(0.0) * -0.5, _f(1.0) * 0.5]))


_TOY = {
    "reinforce": (tfr.Reinforce(), _reinforce_log_variance, -4.159, 3),
    "rebar": (tfr.REBAR(), _coupled_log_variance, -3.75, 2),
    "rebar_independent": (
        tfr.REBAR(coupled=False),
        _independent_log_variance,
        -3.80,
        2,
    ),
}


@pytest.mark.parametrize("name", _TOY)
def test_log_variance_of_the_toy_is_the_known_one(name, vary_seed):
    estimator, exact, known, digits = _TOY[name]
    exact = exact()
    assert round(exact, digits) == known
    logits = tf.zeros([1_000_000], tf.float64)
    gradient = estimator.estimate(
        _f,
        tfr.distributions.Bernoulli(logits=logits),
        seed=cases.seed_of(name, vary_seed=vary_seed),
    ).gradients["logits"]
    # The variance is the mean of these squares: the same z-test.
    testing.assert_unbiased(
        (np.array(gradient) - _EXACT_GRADIENT) ** 2,
        np.exp(exact),
        false_fail_rate=_FALSE_FAIL_RATE,
        num_tests=_NUM_TESTS,
        detects=0.05,
    )


_COUPLED = [
    (method, family)
    for method, family in cases.pairs(cases.BASE_FAMILIES)
    if cases.example(method).couples
]


@pytest.mark.parametrize(("method", "family"), _COUPLED)
def test_coupled_samples_have_the_mean_of_b(method, family):
    """What f uses is trained at them: each must have b's own law."""
    c = cases.METHODS[method].control_variates[-1]
    estimator = cases.estimator_of(method, family, c)
    q = cases.FAMILIES[family].rows(2_000)
    num_samples = cases.METHODS[method].num_samples
    draw = estimator.draw(q, seed=(3, 8), num_samples=num_samples)
    weights = draw.weights
    if weights is None:
        weights = tf.fill([len(draw.sample), 1], 1.0 / len(draw.sample))
    events = [1] * (draw.sample.shape.rank - weights.shape.rank)
    weights = tf.reshape(weights, [*weights.shape, *events])
    mean = tf.reduce_sum(tf.cast(weights, tf.float64) * draw.sample, 0)
    testing.assert_unbiased(mean, q.mean()[0], num_tests=len(_COUPLED))
