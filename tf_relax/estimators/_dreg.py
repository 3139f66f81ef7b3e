"""Doubly reparameterised gradients of bounds of several samples."""

from typing import Any

import tensorflow as tf

from tf_relax.control_variates import Function
from tf_relax.estimators import _algebra
from tf_relax.estimators._bound import BoundEstimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import PathwiseDraw


@register("dreg")
class DReG(BoundEstimator):
    """The doubly reparameterised gradient of a bound of K >= 2 samples.

        L = log mean_k w_k,  log w = log p(x, b) - log q(b) = -f(b)
        g = -sum_k m_k^2 (d log w_k / d b_k) (d b_k / d parameter)
        m_k = w_k / sum_j w_j

    the gradient of `E[-L]` for continuous, reparameterised b. The derivative
    of `log q(b)` by the parameters of q at fixed b has been turned into one by
    b as well, where it cancels most of the other; so f must contain
    `log q(b)`, with its parameters as they are (no `stop_gradient`), and
    depend on them by nothing else. `multi_sample_bound` sees to it. This
    returns g less that derivative, which f's own adds. Unbiased; K evaluations
    of f, and K with its derivative at the same samples: f must be
    differentiable TensorFlow.

    References:
      [1]: Tucker, Lawson, Gu, Maddison. Doubly reparameterized gradient
           estimators for Monte Carlo objectives. ICLR 2019.
           https://arxiv.org/abs/1810.04152

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Normal(loc=tf.zeros([24, 3]), scale=1.0)
      >>> log_joint = lambda b: -tf.reduce_sum((b - 0.5) ** 2, -1)
      >>> bound = tfr.multi_sample_bound(
      ...     log_joint, q, estimator=DReG(), num_samples=8, seed=(0, 0))
      >>> bound.shape
      TensorShape([24])
    """

    needs = PathwiseDraw

    def __init__(self) -> None:
        """See the class."""
        self.control_variate: Any = Function()

    def gradient(
        self, draw: PathwiseDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        k, share = draw.num_samples, tf.nn.softmax(-value, axis=0)
        _, slope = value_and_derivative(control_variate, draw.sample, value)
        return _algebra.subtract(
            _algebra.scale(draw.pathwise(slope), k * tf.square(share)),
            _algebra.scale(draw.score, k * share),
        )
