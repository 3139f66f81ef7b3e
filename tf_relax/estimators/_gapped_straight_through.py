"""Gapped straight-through: no noise but that of the sample. Biased."""

from typing import Any

import tensorflow as tf

from tf_relax.estimators._gumbel_straight_through import GumbelStraightThrough
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("gapped_straight_through")
class GappedStraightThrough(GumbelStraightThrough):
    """The gapped straight-through estimator at a fixed temperature.

        g = f'(b) d squash(l / lambda), the shifts of l held fixed

    where `l` are the logits, shifted so that they agree with b: the logit of
    the outcome that was drawn is raised to the largest, and the others are
    lowered to at least a gap below it. A function of b alone, without the
    further noise of `GumbelStraightThrough`. Biased. One evaluation of `f`,
    and one with its derivative, at the hard sample; `f` must be
    differentiable TensorFlow, off the hard samples too.

    Args:
      temperature: `lambda` > 0; constant.
      gap: in nats, at least 0.

    Raises:
      ValueError: if `temperature` is not positive, or `gap` is negative.

    References:
      [1]: Fan, Chi, Rudnicky, Ramadge. Training discrete deep generative
           models via gapped straight-through estimator. ICML 2022.
           https://arxiv.org/abs/2206.07235

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.OneHotCategorical(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b[..., 1:] - 0.499) ** 2, -1)
      >>> estimator = GappedStraightThrough()
      >>> tfr.expectation(f, q, estimator=estimator, seed=(0, 0)).shape
      TensorShape([])
    """

    def __init__(self, temperature: float = 0.5, gap: float = 1.0) -> None:
        """See the class."""
        super().__init__(temperature)
        if not gap >= 0:
            raise ValueError(f"`gap` must not be negative. Received: {gap}.")
        self.gap = gap

    def through(self, draw: RelaxedDraw, slope: tf.Tensor) -> Gradients:
        """See `StraightThrough.through`."""
        shifted = draw.agreeing(self.gap)
        return draw.pathwise(self.by_relaxed(draw, shifted, slope))

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return super().get_config() | {"gap": self.gap}
