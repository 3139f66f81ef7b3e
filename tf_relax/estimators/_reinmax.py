"""ReinMax: straight-through of second order. Biased."""

import tensorflow as tf

from tf_relax.estimators._registry import register
from tf_relax.estimators._straight_through import StraightThrough
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("reinmax")
class ReinMax(StraightThrough):
    """The ReinMax estimator for discrete b with mean m.

        g = 2 J((m + b) / 2) f'(b) - J(m) f'(b) / 2

    where `J(p)` is the covariance of a draw of mean p: `p (1 - p)`, or
    `diag(p) - p p'` of a one-hot b. Biased; exact in the mean if f is
    quadratic in each unit. One evaluation of `f`, and one with its
    derivative, at the hard sample; `f` must be differentiable TensorFlow, off
    the hard samples too. The temperature of the paper is 1 here: others give
    up the second order.

    References:
      [1]: Liu, Dong, Liu, Yu, Gao. Bridging discrete and backpropagation:
           Straight-through and beyond. NeurIPS 2023.
           https://arxiv.org/abs/2304.08612

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.OneHotCategorical(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b[..., 1:] - 0.499) ** 2, -1)
      >>> loss = tfr.expectation(f, q, estimator=ReinMax(), seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    def through(self, draw: RelaxedDraw, slope: tf.Tensor) -> Gradients:
        """See `StraightThrough.through`."""
        halfway = 0.5 * (draw.mean + draw.sample)
        first = draw.mean_pathwise(slope)["logits"]
        second = draw.covariance(halfway, slope)
        return {"logits": 2.0 * second - 0.5 * first}
