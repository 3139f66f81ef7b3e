"""DLAX: LAX on the relaxation of a discrete distribution."""

from typing import Any

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("dlax")
class DLAX(Estimator):
    """The DLAX estimator for discrete `b = H(z)`.

        g = f(b) * d log p(b) - c(z) * d log p(z) + d c(z)

    Unbiased for every control variate `c`. One evaluation of `f` and no
    derivative of it; one evaluation and derivative of `c`. RELAX, whose
    control variate correlates better, has less variance.

    Args:
      control_variate: `c(z)`, of the shape of `f(b)`.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           Section 3.2. https://arxiv.org/abs/1711.00123

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([2]))
      >>> f = lambda b: tf.reduce_sum(b**2, -1)
      >>> c = lambda z: tf.reduce_sum(tf.sigmoid(z), -1)
      >>> q.dlax_gradient(f, c, seed=(0, 0)).gradients["logits"].shape
      TensorShape([2])
    """

    needs = RelaxedDraw

    def __init__(self, control_variate: Any) -> None:
        """See the class."""
        self.control_variate = control_variate

    def gradient(
        self, draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        c, derivative = value_and_derivative(
            control_variate, draw.relaxed, value
        )
        scores = _algebra.subtract(
            _algebra.scale(draw.score, value),
            _algebra.scale(draw.relaxed_score, c),
        )
        return _algebra.add(scores, draw.pathwise(derivative))

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"control_variate": self.control_variate}
