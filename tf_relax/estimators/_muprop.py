"""MuProp: REINFORCE around a first-order expansion of f at the mean."""

import tensorflow as tf

from tf_relax.control_variates import Function
from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("muprop")
class MuProp(Estimator):
    """The MuProp estimator for discrete b with mean m.

        l(b) = f(m) + f'(m) (b - m)
        g = (f(b) - l(b)) * d log p(b) + d (f'(m) m), f'(m) held fixed

    Unbiased, since l is linear in b. `f` must be differentiable TensorFlow,
    defined between the hard samples too. One evaluation of `f` at the hard
    sample, one evaluation and derivative at the mean; nothing is learned.
    The less linear `f` is, the less it helps.

    Raises:
      ValueError: at use, if TensorFlow cannot differentiate `f`.

    References:
      [1]: Gu et al. MuProp: Unbiased backpropagation for stochastic neural
           networks. ICLR 2016. https://arxiv.org/abs/1511.05176

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> loss = tfr.expectation(f, q, estimator=MuProp(), seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    needs = RelaxedDraw

    def __init__(self) -> None:
        """See the class."""
        self.control_variate = Function()

    def gradient(
        self, draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        from_mean = draw.score["logits"]  # b - m, in either family.
        at_mean, slope = value_and_derivative(
            control_variate, draw.sample - from_mean, value
        )
        linear = at_mean + _algebra.sum_after(slope * from_mean, value)
        return _algebra.add(
            _algebra.scale(draw.score, value - linear),
            draw.mean_pathwise(slope),
        )
