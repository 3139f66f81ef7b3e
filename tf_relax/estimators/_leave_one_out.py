"""REINFORCE whose baseline is the mean of the other samples."""

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


@register("leave_one_out")
class LeaveOneOut(Estimator):
    """The leave-one-out score-function estimator, of K >= 2 samples.

        g = mean_k (f(b_k) - mean_{j != k} f(b_j)) * d log p(b_k)

    Unbiased for every distribution and every `f`. K evaluations of `f`, no
    derivative of it.

    References:
      [1]: Kool et al. Buy 4 REINFORCE samples, get a baseline for free!
           DeepRLStructPred workshop at ICLR 2019.

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> f = lambda b: tf.reduce_sum(b, -1)
      >>> loss = tfr.expectation(
      ...     f, q, estimator=LeaveOneOut(), num_samples=4, seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    min_samples = 2

    def gradient(
        self, draw: Draw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        return _algebra.scale(draw.score, from_others(value, draw.num_samples))


def from_others(value: tf.Tensor, num_samples: int) -> tf.Tensor:
    """Returns `f(b_k)` less the mean over the others, `[K, B...]`.

    Args:
      value: `f(b_k)`, `[K, B...]`.
      num_samples: K > 1.
    """
    centred = value - tf.reduce_mean(value, axis=0, keepdims=True)
    # f_k - mean of the others = K / (K - 1) * (f_k - mean of all).
    return centred * (num_samples / (num_samples - 1))
