"""Gumbel-Rao: straight-through Gumbel-Softmax, averaged given b. Biased."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf_relax.estimators._gumbel_straight_through import GumbelStraightThrough
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import open_uniform
from tf_relax.relaxations import RelaxedDraw


@register("gumbel_rao")
class GumbelRao(GumbelStraightThrough):
    """The Gumbel-Rao estimator at a fixed temperature.

        g = mean_r f'(b) d squash(z_r / lambda),  z_r ~ z | b

    Biased as `GumbelStraightThrough`, whose mean given b it estimates from R
    further draws of z: the same mean, less variance. One evaluation of `f`,
    and one with its derivative, at the hard sample; `f` must be
    differentiable TensorFlow, off the hard samples too.

    Args:
      temperature: `lambda` > 0; constant.
      resamples: R.

    Raises:
      ValueError: if `temperature` is not positive, or `resamples` is.

    References:
      [1]: Paulus, Maddison, Krause. Rao-Blackwellizing the straight-through
           Gumbel-softmax gradient estimator. ICLR 2021.
           https://arxiv.org/abs/2010.04838

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.OneHotCategorical(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b[..., 1:] - 0.499) ** 2, -1)
      >>> loss = tfr.expectation(f, q, estimator=GumbelRao(), seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    def __init__(self, temperature: float = 0.5, resamples: int = 10) -> None:
        """See the class."""
        super().__init__(temperature)
        if resamples < 1:
            raise ValueError(
                f"`resamples` must be at least 1. Received: {resamples}."
            )
        self.resamples = resamples

    def redraw(self, draw: Any, seed: tf.Tensor) -> Any:
        """Returns the draw with the noise of R draws of `z | b`."""
        shape = tf.concat([[self.resamples], tf.shape(draw.sample)], 0)
        v = open_uniform(seed, shape, draw.sample.dtype)
        return dataclasses.replace(draw, v=v)

    def through(self, draw: RelaxedDraw, slope: tf.Tensor) -> Gradients:
        """See `StraightThrough.through`."""
        by_relaxed = self.by_relaxed(draw, draw.conditional(), slope)
        # The noise that z has given b does not move with the parameters.
        return draw.pathwise(tf.reduce_mean(by_relaxed, 0))

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return super().get_config() | {"resamples": self.resamples}
