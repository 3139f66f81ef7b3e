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
      gap: in nats, at least 0. None: `-log(1 - p) / p` of the probability p
        that the outcome had, the paper's other variant: less variance at the
        same temperature, and a bias that is now less, now more.

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

    def __init__(
        self, temperature: float = 0.5, gap: float | None = 1.0
    ) -> None:
        """See the class."""
        super().__init__(temperature)
        if gap is not None and not gap >= 0:
            raise ValueError(f"`gap` must not be negative. Received: {gap}.")
        self.gap = gap

    def through(self, draw: RelaxedDraw, slope: tf.Tensor) -> Gradients:
        """See `StraightThrough.through`."""
        gap = _gap_of(draw) if self.gap is None else self.gap
        shifted = draw.agreeing(gap)
        return draw.pathwise(self.by_relaxed(draw, shifted, slope))

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return super().get_config() | {"gap": self.gap}


def _gap_of(draw: RelaxedDraw) -> tf.Tensor:
    """Returns the gap of each unit, in a shape that z broadcasts to."""
    p = tf.exp(draw.log_prob(draw.sample))
    gap = -tf.math.log1p(-tf.minimum(p, 1.0 - 1e-6)) / p
    return gap[..., tf.newaxis] if draw.unit_ndims else gap
