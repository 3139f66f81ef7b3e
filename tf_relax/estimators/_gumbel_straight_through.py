"""Straight-through Gumbel-Softmax: the slope of a relaxed sample. Biased."""

from typing import Any

import tensorflow as tf

from tf_relax.control_variates._relaxed import check_temperature
from tf_relax.estimators._registry import register
from tf_relax.estimators._straight_through import StraightThrough
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("gumbel_straight_through")
class GumbelStraightThrough(StraightThrough):
    """The straight-through Gumbel-Softmax estimator at a fixed temperature.

        g = f'(b) d squash(z / lambda), f'(b) held fixed

    `squash` is the sigmoid or the softmax, and `b = H(z)`. Biased. One
    evaluation of `f`, and one with its derivative, at the hard sample; `f`
    must be differentiable TensorFlow, off the hard samples too.

    Args:
      temperature: `lambda` > 0; constant.

    Raises:
      ValueError: if `temperature` is not positive.

    References:
      [1]: Jang, Gu, Poole. Categorical reparameterization with
           Gumbel-Softmax. ICLR 2017. https://arxiv.org/abs/1611.01144

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.OneHotCategorical(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b[..., 1:] - 0.499) ** 2, -1)
      >>> loss = tfr.expectation(
      ...     f, q, estimator=GumbelStraightThrough(), seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    def __init__(self, temperature: float = 0.5) -> None:
        """See the class."""
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def through(self, draw: RelaxedDraw, slope: tf.Tensor) -> Gradients:
        """See `StraightThrough.through`."""
        return draw.pathwise(self.by_relaxed(draw, draw.relaxed, slope))

    def by_relaxed(
        self, draw: RelaxedDraw, relaxed: tf.Tensor, slope: tf.Tensor
    ) -> tf.Tensor:
        """Returns the derivative by z, at any z."""
        squashed = draw.squash(relaxed / self.temperature)
        return draw.covariance(squashed, slope) / self.temperature

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"temperature": self.temperature}
