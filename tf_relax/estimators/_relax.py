"""RELAX: a learned control variate for discrete distributions."""

from typing import Any

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("relax")
class RELAX(Estimator):
    """The RELAX estimator for discrete `b = H(z)`, with `zt ~ z | b`.

        g = (f(b) - c(zt)) * d log p(b) + d c(z) - d c(zt)

    Unbiased for every control variate `c`. One evaluation of `f`, no
    derivative of it. The noise of `zt` may depend on that of `z` as long as
    it is uniform given `b`. With `coupled=True` it is chosen so that `zt = z`
    in value; only the derivatives differ, and `c` is evaluated once:

        g = (f(b) - c(z)) * d log p(b) + k * c'(z)

    where `k = dz - dzt` is `p(b = 0) / u` if `b = 1` and `p(b = 1) / (1 - u)`
    if `b = 0` for a Bernoulli, and `exp(z - max z)`, in the coordinates of
    `log p`, for a one-hot categorical.

    Args:
      control_variate: `c(z)`, of the shape of `f(b)`: any callable, or a
        layer of `tf_relax.control_variates`. It must be continuous in z, with
        the derivative that TensorFlow says (no `tf.round`, no step, no
        `stop_gradient` of z), and no example's value may depend on another's
        z; else the estimate is biased.
      coupled: False gives Algorithm 2 as printed: independent noises, two
        evaluations of `c`.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           Algorithm 2. https://arxiv.org/abs/1711.00123

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([24, 200]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> c = lambda z: f(tf.sigmoid(z))
      >>> q.relax_gradient(f, c, seed=(0, 0)).gradients["logits"].shape
      TensorShape([24, 200])
    """

    needs = RelaxedDraw

    def __init__(self, control_variate: Any, *, coupled: bool = True) -> None:
        """See the class."""
        self.control_variate = control_variate
        self.coupled = coupled

    def gradient(
        self, draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        combine = _coupled if self.coupled else _independent
        residual, pathwise = combine(draw, value, control_variate)
        return _algebra.add(
            _algebra.scale(draw.score, self.signal(residual, draw.num_samples)),
            pathwise,
        )

    def signal(self, residual: tf.Tensor, num_samples: int) -> tf.Tensor:
        """Returns what multiplies the score of each sample.

        Args:
          residual: `f(b) - c(zt)`, `[K, B...]`.
          num_samples: K.
        """
        del num_samples
        return residual

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {
            "control_variate": self.control_variate,
            "coupled": self.coupled,
        }


def _coupled(
    draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
) -> tuple[tf.Tensor, Gradients]:
    """Returns `f(b) - c(zt)` and `d c(z) - d c(zt)`, for zt = z."""
    c, derivative = value_and_derivative(control_variate, draw.relaxed, value)
    return value - c, draw.coupled_pathwise(derivative)


def _independent(
    draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
) -> tuple[tf.Tensor, Gradients]:
    """The same for a zt with noise of its own."""
    zt = draw.conditional()
    c_zt, derivative_zt = value_and_derivative(control_variate, zt, value)
    _, derivative_z = value_and_derivative(control_variate, draw.relaxed, value)
    pathwise = _algebra.subtract(
        draw.pathwise(derivative_z),
        draw.conditional_pathwise(zt, derivative_zt),
    )
    return value - c_zt, pathwise
