"""A tiny VAE with an encoder, a decoder, a prior and a control variate."""

import numpy as np
import tensorflow as tf

import tf_relax as tfr
from tf_relax import control_variates as cv

SEED = (3, 5)
_BATCH, _PIXELS, _UNITS = 5, 3, 4


class TinyVae:
    """All in float64, so that equal means equal to the last digits."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.images = tf.constant(rng.normal(size=[_BATCH, _PIXELS]))
        self.encoder = tf.Variable(rng.normal(size=[_PIXELS, _UNITS]))
        self.decoder = tf.Variable(rng.normal(size=[_UNITS, _PIXELS]))
        self.prior = tf.Variable(rng.normal(size=[_UNITS]))
        relaxed = cv.RelaxedFunction(0.5, dtype="float64")
        network = cv.Network((3,), "tanh", dtype="float64")
        self.c = cv.Scaled(relaxed + network, 0.7, dtype="float64")
        self.c.build((_BATCH, _UNITS))
        self.estimator = tfr.RELAX(self.c)

    def q(self):
        return tfr.distributions.Bernoulli(logits=self.images @ self.encoder)

    def f(self, b):
        """Squared error minus the log prior, `[..., D] -> [...]`."""
        error = tf.tanh(tf.tensordot(b, self.decoder, 1)) - self.images
        log_prior = b * self.prior - tf.math.softplus(self.prior)
        return tf.reduce_sum(error**2, -1) - tf.reduce_sum(log_prior, -1)

    def sample(self, num_samples=1):
        return self.q().draw(SEED, num_samples).sample


def assert_no_leak(expectation, part, num_samples=1):
    """Asserts that the part gets its own gradient of the mean, and no other."""
    vae = TinyVae()
    variable = getattr(vae, part)
    options = {
        "estimator": vae.estimator,
        "seed": SEED,
        "num_samples": num_samples,
    }
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(expectation(vae.f, vae.q(), **options))
    expected = _expected(vae, part, num_samples)
    assert_close(tape.gradient(loss, variable), expected, part)


def _expected(vae, part, num_samples):
    if part == "encoder":
        estimate = vae.estimator.estimate(
            vae.f, vae.q(), seed=SEED, num_samples=num_samples
        )
        by_logits = estimate.gradients["logits"]
        return tf.transpose(vae.images) @ by_logits / len(by_logits)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(vae.f(vae.sample(num_samples)))
    return tape.gradient(loss, getattr(vae, part))


def assert_close(actual, expected, message=""):
    """Asserts equality up to the rounding of a few hundred operations."""
    np.testing.assert_allclose(
        actual, expected, rtol=1e-11, atol=1e-13, err_msg=message
    )
