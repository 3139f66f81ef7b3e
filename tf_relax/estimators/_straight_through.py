"""Straight-through: as if sampling were the identity. Biased."""

from typing import Any

import tensorflow as tf

from tf_relax.control_variates import Function
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("straight_through")
class StraightThrough(Estimator):
    """The straight-through estimator for discrete b with mean m.

        g = f'(b) dm, f'(b) held fixed

    Biased, unless f is linear. f is trained at hard samples. One evaluation
    of `f`, and one with its derivative, at the hard sample; `f` must be
    differentiable TensorFlow, off the hard samples too. In a `Chain` the
    derivative is at the means of the layers above.

    References:
      [1]: Bengio, Leonard, Courville. Estimating or propagating gradients
           through stochastic neurons for conditional computation. 2013.
           https://arxiv.org/abs/1308.3432

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> loss = tfr.expectation(
      ...     f, q, estimator=StraightThrough(), seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    needs = RelaxedDraw
    biased = True

    def __init__(self) -> None:
        """See the class."""
        self.control_variate = Function()

    def gradient(
        self, draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        _, slope = value_and_derivative(control_variate, draw.sample, value)
        return self.through(draw, slope)

    def through(self, draw: RelaxedDraw, slope: tf.Tensor) -> Gradients:
        """Carries `f'(b)` to the parameters.

        Args:
          draw: see `gradient`.
          slope: `f'(b)`, in the shape of b.
        """
        return draw.mean_pathwise(slope)

    @property
    def layers(self) -> list[Any]:
        """See `Estimator.layers`: there is no state."""
        return []
