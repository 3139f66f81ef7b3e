"""Extreme logits, in float32: finite, and z | b agrees with b."""

import cases
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import relaxations

tfrd = tfr.distributions

_EXTREME = [-80.0, -20.0, -3.0, 0.0, 3.0, 20.0, 80.0]
# The ends of the grid that float32 uniforms are drawn from, and some between.
_UNIFORMS = [2.0**-24, 1e-3, 0.3, 0.5, 0.9, 1.0 - 2.0**-24]


def _bernoulli_inputs():
    """All logits with all pairs of uniforms: [logits, u, v]."""
    return np.meshgrid(_EXTREME, _UNIFORMS, _UNIFORMS, indexing="ij")


def _categorical_inputs():
    """Triples of logits with gaps up to 160, and random uniforms."""
    pairs = np.stack(np.meshgrid(_EXTREME, _EXTREME), -1).reshape(-1, 2)
    third = np.zeros([len(pairs), 1])
    logits = np.concatenate([pairs, third], 1)[:, np.newaxis]
    logits = np.broadcast_to(logits, [len(pairs), 200, 3])
    u, v = np.random.default_rng(0).choice(_UNIFORMS, [2, *logits.shape])
    return logits, u, v


_KINDS = {
    "bernoulli": (relaxations.bernoulli_draw, _bernoulli_inputs),
    "categorical": (relaxations.categorical_draw, _categorical_inputs),
}


def _draw(kind):
    make, inputs = _KINDS[kind]
    return make(*(tf.constant(x, tf.float32) for x in inputs()))


def _hard(z, kind):
    """H(z)."""
    if kind == "bernoulli":
        return z > 0
    return tf.one_hot(tf.argmax(z, -1), z.shape[-1])


@pytest.mark.parametrize("mode", cases.MODES)
@pytest.mark.parametrize("kind", _KINDS)
def test_h_of_z_given_b_is_b(kind, mode):
    make, inputs = _KINDS[kind]

    @cases.MODES[mode]
    def sample(logits, u, v):
        draw = make(logits, u, v)
        return draw.sample, draw.relaxed, draw.conditional()

    b, z, zt = sample(*(tf.constant(x, tf.float32) for x in inputs()))
    assert np.isfinite(z).all()
    assert np.isfinite(zt).all()
    np.testing.assert_array_equal(_hard(z, kind), b)
    np.testing.assert_array_equal(_hard(zt, kind), b)


def test_top_of_z_given_b_is_never_a_tie():
    zt = np.sort(_draw("categorical").conditional(), axis=-1)
    assert (zt[..., -1] > zt[..., -2]).all()


@pytest.mark.parametrize("kind", _KINDS)
def test_scores_are_finite(kind):
    draw = _draw(kind)
    assert np.isfinite(draw.score["logits"]).all()
    assert np.isfinite(draw.relaxed_score["logits"]).all()


@pytest.mark.parametrize("kind", _KINDS)
def test_derivatives_are_finite_and_no_larger_than_one(kind):
    draw = _draw(kind)
    zt = draw.conditional()
    for unit in np.eye(zt.shape[-1], dtype=np.float32):
        derivative = tf.broadcast_to(tf.constant(unit), zt.shape)
        for gradients in [
            draw.pathwise(derivative),
            draw.conditional_pathwise(zt, derivative),
            draw.coupled_pathwise(derivative),
        ]:
            assert np.isfinite(gradients["logits"]).all()
            assert np.abs(gradients["logits"]).max() <= 1.0 + 1e-6


@pytest.mark.parametrize("family", ["Bernoulli", "OneHotCategorical"])
@pytest.mark.parametrize("estimator", ["relax", "relax_independent", "dlax"])
def test_estimates_and_variance_gradients_are_finite(estimator, family):
    c = tfr.control_variates.RelaxedFunction(0.5)
    c += tfr.control_variates.Network((4,), "tanh")
    estimator = {
        "relax": tfr.RELAX(c),
        "relax_independent": tfr.RELAX(c, coupled=False),
        "dlax": tfr.DLAX(c),
    }[estimator]
    logits = tf.tile(tf.constant([_EXTREME]), [1000, 1])
    estimate = estimator.estimate(
        lambda b: tf.reduce_sum(b, -1) ** 2,
        getattr(tfrd, family)(logits=logits),
        seed=(0, 0),
    )
    for x in [estimate.gradients["logits"], *estimate.variance_gradients]:
        assert np.isfinite(x).all()


@pytest.mark.parametrize(
    ("probs", "family"),
    [([0.0, 1.0, 0.5], "Bernoulli"), ([0.0, 0.25, 0.75], "OneHotCategorical")],
)
def test_certain_outcomes_stay_certain_and_finite(family, probs):
    q = getattr(tfrd, family)(probs=tf.tile([probs], [10_000, 1]))
    c = lambda z: tf.reduce_sum(tf.sigmoid(z), -1)
    estimate = q.relax_gradient(c, c, seed=(0, 0))
    certain = np.array(probs) % 1 == 0
    hits = np.mean(estimate.sample, axis=0)
    np.testing.assert_array_equal(hits[certain], np.array(probs)[certain])
    assert np.isfinite(estimate.gradients["probs"]).all()


@pytest.mark.parametrize("p", [1e-30, 1e-6, 0.3, 1.0 - 1e-6])
def test_probs_are_as_exact_as_their_logits(p):
    by_probs = tfrd.Bernoulli(probs=tf.constant([p], tf.float64))
    logits = tf.constant([np.log(p) - np.log1p(-p)])
    np.testing.assert_allclose(
        by_probs.draw((0, 0)).relaxed,
        tfrd.Bernoulli(logits=logits).draw((0, 0)).relaxed,
        rtol=1e-9,
    )
    both = tf.constant([p, 1.0 - p], tf.float64)
    np.testing.assert_allclose(
        tfrd.OneHotCategorical(probs=both).draw((0, 0)).relaxed,
        tfrd.OneHotCategorical(logits=tf.math.log(both)).draw((0, 0)).relaxed,
        rtol=1e-9,
    )


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_uniforms_are_from_the_open_interval(dtype):
    u = relaxations.open_uniform(tf.constant([0, 1]), [1_000_000], dtype)
    assert u.dtype == dtype
    assert 0.0 < np.min(u) < 1e-5
    assert 1.0 > np.max(u) > 1.0 - 1e-5


def test_ends_of_the_grid_of_uniforms_have_finite_logits():
    half_step = {tf.float32: 2.0**-24, tf.float64: 2.0**-53}
    for dtype, half in half_step.items():
        ends = tf.constant([half, 1.0 - half], dtype)
        for x in (tf.math.log(ends), tf.math.log1p(-ends)):
            assert np.isfinite(x).all()
            assert (np.array(x) < 0.0).all()


@pytest.mark.parametrize(
    "estimator", [tfr.RELAX, tfr.RELAXK, tfr.DLAX], ids=lambda e: e.__name__
)
def test_impossible_outcomes_leave_a_network_finite(estimator):
    one_hot = tfr.distributions.OneHotCategorical([[0.0, 1.0, -np.inf]])
    bits = tfr.distributions.Bernoulli([[np.inf, 0.0, -np.inf]])
    for q in (one_hot, bits):
        network = tfr.control_variates.Network((4,))
        found = estimator(network).estimate(
            lambda b: tf.reduce_sum(b * [1.0, 2.0, 3.0], -1), q, seed=(0, 1)
        )
        for x in [found.gradients["logits"], *found.variance_gradients]:
            assert np.isfinite(x).all()
