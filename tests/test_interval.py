"""A distribution of one's own: a Bernoulli by intervals is the Bernoulli."""

import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr

_LOGITS = np.linspace(-3.0, 3.0, 12).reshape(3, 4)
_SEED = (1, 2)


class _Bernoulli(tfr.distributions.GradientMethods):
    dtype = tf.float64
    unit = 1.0  # Of z, in nats.

    def given_parameters(self):
        return {"logits": tf.constant(_LOGITS)}

    def draw(self, seed, num_samples=1):
        def interval(b, logits):
            zero = tf.sigmoid(-logits)
            return tf.where(b > 0, zero, 0.0), tf.where(b > 0, 1.0, zero)

        return tfr.relaxations.interval_draw(
            lambda u, logits: (
                (logits + tf.math.log(u) - tf.math.log1p(-u)) / self.unit
            ),
            lambda z: tf.cast(z > 0, z.dtype),
            interval,
            self.given_parameters(),
            seed,
            num_samples,
        )


@pytest.mark.parametrize("num_samples", [1, 3])
def test_draws_and_derivatives_are_those_in_closed_form(num_samples):
    closed = tfr.distributions.Bernoulli(logits=tf.constant(_LOGITS))
    mine, its = (q.draw(_SEED, num_samples) for q in (_Bernoulli(), closed))
    slope = tf.sin(10.0 * mine.v)
    zt = its.conditional()
    for x, y in (
        (mine.sample, its.sample),
        (mine.relaxed, its.relaxed),
        (mine.score["logits"], its.score["logits"]),
        (mine.conditional(), zt),
        *(
            (f(mine)["logits"], f(its)["logits"])
            for f in (
                lambda draw: draw.pathwise(slope),
                lambda draw: draw.conditional_pathwise(zt, slope),
                lambda draw: draw.coupled_pathwise(slope),
            )
        ),
    ):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_a_network_learns_through_it():
    c = tfr.control_variates.Network(hidden=(3,))
    f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
    closed = tfr.distributions.Bernoulli(logits=tf.constant(_LOGITS))
    first, second = (
        q.relax_gradient(f, c, seed=_SEED) for q in (_Bernoulli(), closed)
    )
    for x, y in zip(
        first.variance_gradients, second.variance_gradients, strict=True
    ):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (tfr.MuProp(), "mean_pathwise"),
        (tfr.Enumeration(), "mean"),
        (tfr.DLAX(lambda z: tf.reduce_sum(z, -1)), "relaxed_score"),
    ],
    ids=["muprop", "enumeration", "dlax"],
)
def test_what_is_not_there_is_named(estimator, name):
    f = lambda b: tf.reduce_sum(b, -1)
    with pytest.raises(TypeError, match=f"`{name}`.*IntervalDraw.*Use RELAX"):
        estimator.estimate(f, _Bernoulli(), seed=_SEED)


class _InMillinats(_Bernoulli):
    unit = 1e-3


def test_a_control_variate_sees_z_of_any_size():
    seen = []

    def c(z):
        seen.append(np.abs(z).max())
        return 1e-3 * tf.reduce_sum(z, -1)

    f = lambda b: tf.reduce_sum(b, -1)
    tfr.RELAX(c, coupled=False).estimate(f, _InMillinats(), seed=_SEED)
    assert max(seen) > 1e3
