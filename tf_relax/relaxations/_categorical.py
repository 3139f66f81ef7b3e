"""One-hot draws: `z = log p + Gumbel`, `b = argmax z`, and `z | b`."""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from tf_relax._shapes import known_sizes
from tf_relax.relaxations._draw import Gradients
from tf_relax.relaxations._draw import RelaxedDraw


@dataclasses.dataclass(frozen=True)
class CategoricalDraw(RelaxedDraw):
    """A draw of one-hot units.

    Attributes:
      log_probs: normalised, `[B..., C]`, in nats.
      v: the uniforms of `zt`, independent of those of `z`.
    """

    log_probs: tf.Tensor
    v: tf.Tensor
    unit_ndims: ClassVar[int] = 1
    certain: ClassVar[float | None] = 100.0

    @property
    def mean(self) -> tf.Tensor:
        """See `RelaxedDraw.mean`."""
        return tf.exp(self.log_probs)

    def atoms(self) -> tf.Tensor:
        """See `RelaxedDraw.atoms`."""
        [num_classes] = known_sizes(self.sample.shape[-1:], "An estimator")
        return tf.eye(num_classes, dtype=self.sample.dtype)

    def log_prob(self, sample: tf.Tensor) -> tf.Tensor:
        """See `RelaxedDraw.log_prob`."""
        # An impossible class is -inf, and of no account where it is not b.
        chosen = tf.math.multiply_no_nan(self.log_probs, sample)
        return tf.reduce_sum(chosen, -1)

    def other(self, number: int) -> tf.Tensor:
        """See `RelaxedDraw.other`."""
        return tf.roll(self.sample, number, axis=-1)

    def squash(self, relaxed: tf.Tensor) -> tf.Tensor:
        """See `RelaxedDraw.squash`."""
        return tf.nn.softmax(relaxed)

    def covariance(self, mean: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
        """See `RelaxedDraw.covariance`."""
        return mean * (vector - tf.reduce_sum(mean * vector, -1, keepdims=True))

    def agreeing(self, gap: float | tf.Tensor) -> tf.Tensor:
        """See `RelaxedDraw.agreeing`."""
        top = tf.reduce_max(self.log_probs, -1, keepdims=True)
        below = tf.minimum(self.log_probs, top - gap)
        return tf.where(self.sample > 0, top, below)

    def pathwise(self, derivative: tf.Tensor) -> Gradients:
        """See `RelaxedDraw.pathwise`."""
        return {"logits": _through_log_softmax(self.log_probs, derivative)}

    def mean_pathwise(self, derivative: tf.Tensor) -> Gradients:
        """See `RelaxedDraw.mean_pathwise`."""
        return self.pathwise(tf.exp(self.log_probs) * derivative)

    def conditional(self) -> tf.Tensor:
        """See `RelaxedDraw.conditional`."""
        # App. B: e_i are unit exponentials; the race is won by `b` at e_b,
        # whatever the probabilities, and the others finish e_i / p_i later.
        log_e = tf.math.log(-tf.math.log(self.v))
        log_first = tf.reduce_sum(self.sample * log_e, -1, keepdims=True)
        later = -_logaddexp(log_e - self.log_probs, log_first)
        # In exact arithmetic `later < top`; rounding could make it a tie.
        below = tf.math.nextafter(-log_first, tf.fill([], log_e.dtype.min))
        return tf.where(self.sample > 0, -log_first, tf.minimum(later, below))

    def conditional_pathwise(
        self, conditional: tf.Tensor, derivative: tf.Tensor
    ) -> Gradients:
        """See `RelaxedDraw.conditional_pathwise`."""
        slope = 1.0 - _relative_to_top(conditional)  # 0 at the top.
        return {
            "logits": _through_log_softmax(self.log_probs, slope * derivative)
        }

    def coupled_pathwise(self, derivative: tf.Tensor) -> Gradients:
        """See `RelaxedDraw.coupled_pathwise`."""
        slope = _relative_to_top(self.relaxed)
        return {
            "logits": _through_log_softmax(self.log_probs, slope * derivative)
        }


def categorical_draw(
    logits: tf.Tensor, u: tf.Tensor, v: tf.Tensor, num_samples: int = 1
) -> CategoricalDraw:
    """Returns the draw of `OneHotCategorical(logits)` that `u`, `v` make.

    Args:
      logits: unnormalised log-probabilities, `[B..., K]`, in nats.
      u: uniforms in (0, 1) of `z`, `[K, B..., K]`.
      v: uniforms in (0, 1) of `z | b`, of the shape of `u`.
      num_samples: K. The axis of samples is there only for K > 1.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           Appendix B. https://arxiv.org/abs/1711.00123
    """
    log_probs = tf.nn.log_softmax(logits)
    exponential = -tf.math.log(u)
    relaxed = log_probs - tf.math.log(exponential)
    num_classes = logits.shape[-1] or tf.shape(logits)[-1]
    sample = tf.one_hot(
        tf.argmax(relaxed, axis=-1), num_classes, dtype=logits.dtype
    )
    return CategoricalDraw(
        sample=tf.stop_gradient(sample),  # argmax has no derivative.
        score={"logits": sample - tf.exp(log_probs)},
        event_ndims=1,
        num_samples=num_samples,
        relaxed=relaxed,
        relaxed_score={
            "logits": _through_log_softmax(log_probs, 1.0 - exponential)
        },
        log_probs=log_probs,
        v=v,
    )


def _through_log_softmax(
    log_probs: tf.Tensor, derivative: tf.Tensor
) -> tf.Tensor:
    """Carries a derivative in `log p` to the unnormalised logits."""
    total = tf.reduce_sum(derivative, -1, keepdims=True)
    return derivative - tf.exp(log_probs) * total


def _relative_to_top(relaxed: tf.Tensor) -> tf.Tensor:
    return tf.exp(relaxed - tf.reduce_max(relaxed, -1, keepdims=True))


def _logaddexp(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x, y) + tf.math.log1p(tf.exp(-tf.abs(x - y)))
