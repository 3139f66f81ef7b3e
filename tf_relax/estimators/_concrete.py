"""Concrete: the gradient of the relaxed objective, which is biased."""

from typing import Any

import tensorflow as tf

from tf_relax.control_variates import RelaxedFunction
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("concrete")
class Concrete(Estimator):
    """The Concrete, or Gumbel-Softmax, relaxation at a fixed temperature.

        g = d f(squash(z / lambda))

    Biased: it is the exact gradient of another objective, `E[f(s)]` of the
    relaxed sample `s = squash(z / lambda)`. With `expectation` what f uses
    (a decoder) is trained on the relaxed objective too, and the value of the
    loss is that of the true one, `f(b)`. `f` must be differentiable
    TensorFlow, defined between the hard samples. One evaluation at the hard
    sample, for the value, and one, with its derivative, at the relaxed one.
    All layers of a `Chain` must have it, at one temperature.

    Args:
      temperature: `lambda` > 0; constant.

    References:
      [1]: Maddison, Mnih, Teh. The Concrete distribution. ICLR 2017.
           https://arxiv.org/abs/1611.00712
      [2]: Jang, Gu, Poole. Categorical reparameterization with
           Gumbel-Softmax. ICLR 2017. https://arxiv.org/abs/1611.01144

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> loss = tfr.expectation(f, q, estimator=Concrete(0.5), seed=(0, 0))
      >>> round(float(loss), 3)  # Of the hard sample.
      0.998
    """

    needs = RelaxedDraw
    biased = True

    def __init__(self, temperature: float = 0.5) -> None:
        """See the class."""
        self.temperature = temperature
        self.relaxed_at = temperature
        self.control_variate = RelaxedFunction(temperature, trainable=False)

    def point(self, draw: RelaxedDraw, distribution: Any) -> tf.Tensor:
        """See `Estimator.point`."""
        inverse = self.control_variate.inverse_temperature(draw.relaxed.dtype)
        # A constant: `gradient` has the derivative of f by it.
        return tf.stop_gradient(distribution.squash(draw.relaxed * inverse))

    def gradient(
        self, draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        _, derivative = value_and_derivative(
            control_variate, draw.relaxed, value
        )
        return draw.pathwise(derivative)

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"temperature": self.temperature}
