"""Bernoulli draws: `z = logits + logit(u)`, `b = 1[z > 0]`, and `z | b`."""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from tf_relax.relaxations._draw import Gradients
from tf_relax.relaxations._draw import RelaxedDraw


@dataclasses.dataclass(frozen=True)
class BernoulliDraw(RelaxedDraw):
    """A draw of Bernoulli units.

    Attributes:
      logits: log-odds of a 1, `[B..., D]`, in nats.
      u: the uniform of `z`, shape of `sample`.
      v: the uniform of `zt`, independent of `u`.
    """

    logits: tf.Tensor
    u: tf.Tensor
    v: tf.Tensor
    unit_ndims: ClassVar[int] = 0
    certain: ClassVar[float | None] = 100.0

    @property
    def mean(self) -> tf.Tensor:
        """See `RelaxedDraw.mean`."""
        return tf.sigmoid(self.logits)

    def atoms(self) -> tf.Tensor:
        """See `RelaxedDraw.atoms`."""
        return tf.constant([0.0, 1.0], self.sample.dtype)

    def log_prob(self, sample: tf.Tensor) -> tf.Tensor:
        """See `RelaxedDraw.log_prob`."""
        return -tf.math.softplus((1.0 - 2.0 * sample) * self.logits)

    def other(self, number: int) -> tf.Tensor:
        """See `RelaxedDraw.other`."""
        del number  # There is one.
        return 1.0 - self.sample

    def squash(self, relaxed: tf.Tensor) -> tf.Tensor:
        """See `RelaxedDraw.squash`."""
        return tf.sigmoid(relaxed)

    def covariance(self, mean: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
        """See `RelaxedDraw.covariance`."""
        return mean * (1.0 - mean) * vector

    def agreeing(self, gap: float | tf.Tensor) -> tf.Tensor:
        """See `RelaxedDraw.agreeing`."""
        return tf.where(
            self.sample > 0,
            tf.maximum(self.logits, gap),
            tf.minimum(self.logits, -gap),
        )

    def pathwise(self, derivative: tf.Tensor) -> Gradients:
        """See `RelaxedDraw.pathwise`."""
        return {"logits": derivative}

    def mean_pathwise(self, derivative: tf.Tensor) -> Gradients:
        """See `RelaxedDraw.mean_pathwise`."""
        p, not_p = tf.sigmoid(self.logits), tf.sigmoid(-self.logits)
        return {"logits": p * not_p * derivative}

    def conditional(self) -> tf.Tensor:
        """See `RelaxedDraw.conditional`."""
        # App. B in log space: `1 - p + p * v` would round to 1 from
        # |logits| = 20 on in float32, and its logit would be infinite.
        log_v, log_not_v = tf.math.log(self.v), tf.math.log1p(-self.v)
        if_one = tf.math.softplus(self.logits + log_v) - log_not_v  # > 0.
        if_zero = log_v - tf.math.softplus(log_not_v - self.logits)  # < 0.
        return tf.where(self.sample > 0, if_one, if_zero)

    def conditional_pathwise(
        self, conditional: tf.Tensor, derivative: tf.Tensor
    ) -> Gradients:
        """See `RelaxedDraw.conditional_pathwise`."""
        del conditional
        slope = tf.where(  # d zt / d logits, of the two forms above.
            self.sample > 0,
            tf.sigmoid(self.logits + tf.math.log(self.v)),
            tf.sigmoid(tf.math.log1p(-self.v) - self.logits),
        )
        return {"logits": slope * derivative}

    def coupled_pathwise(self, derivative: tf.Tensor) -> Gradients:
        """See `RelaxedDraw.coupled_pathwise`."""
        # 1 - d zt / d logits at the v that makes zt = z. In (0, 1].
        slope = tf.where(
            self.sample > 0,
            tf.sigmoid(-self.logits) / self.u,
            tf.sigmoid(self.logits) / (1.0 - self.u),
        )
        return {"logits": slope * derivative}


def bernoulli_draw(
    logits: tf.Tensor, u: tf.Tensor, v: tf.Tensor, num_samples: int = 1
) -> BernoulliDraw:
    """Returns the draw of `Bernoulli(logits)` that two uniforms make.

    Args:
      logits: log-odds of a 1, `[B..., D]`, in nats.
      u: uniforms in (0, 1) of `z`, `[K, B..., D]`.
      v: uniforms in (0, 1) of `z | b`, of the shape of `u`.
      num_samples: K. The axis of samples is there only for K > 1.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           Appendix B. https://arxiv.org/abs/1711.00123
    """
    relaxed = logits + tf.math.log(u) - tf.math.log1p(-u)
    # H is a step: no derivative passes through the hard sample.
    sample = tf.stop_gradient(tf.cast(relaxed > 0, logits.dtype))
    return BernoulliDraw(
        sample=sample,
        score={"logits": sample - tf.sigmoid(logits)},
        event_ndims=0,
        num_samples=num_samples,
        relaxed=relaxed,
        relaxed_score={"logits": 2.0 * u - 1.0},
        logits=logits,
        u=u,
        v=v,
    )
