"""LAX: a learned control variate for reparameterisable distributions."""

from typing import Any

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import PathwiseDraw


@register("lax")
class LAX(Estimator):
    """The LAX estimator for continuous, reparameterised `b = T(noise)`.

        g = (f(b) - c(b)) * d log p(b) + d c(T(noise))

    Unbiased for every control variate `c`; with `c = f` it is the
    reparameterised gradient, with `c = 0` it is REINFORCE. One evaluation of
    `f` and no derivative of it; one evaluation and derivative of `c`.

    Args:
      control_variate: `c(b)`, of the shape of `f(b)`.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           Algorithm 1. https://arxiv.org/abs/1711.00123

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Normal(loc=tf.zeros([2]), scale=1.0)
      >>> f = lambda b: tf.reduce_sum(b**2, -1)
      >>> estimate = q.lax_gradient(f, f, seed=(0, 0))
      >>> sorted(estimate.gradients)
      ['loc', 'scale']
    """

    needs = PathwiseDraw

    def __init__(self, control_variate: Any) -> None:
        """See the class."""
        self.control_variate = control_variate

    def gradient(
        self, draw: PathwiseDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        c, derivative = value_and_derivative(
            control_variate, draw.sample, value
        )
        return _algebra.add(
            _algebra.scale(draw.score, value - c), draw.pathwise(derivative)
        )

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"control_variate": self.control_variate}
