"""Double control variates: leave-one-out, and linear terms by derivatives."""

from typing import Any

import tensorflow as tf

from tf_relax.control_variates import Function
from tf_relax.control_variates import Scaled
from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._leave_one_out import from_others
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("double_cv")
class DoubleCV(Estimator):
    """The double control variate estimator, of K >= 2 samples of discrete b.

        s_k = mean_(j != k) c'(b_j)
        r_k = f(b_k) - s_k (b_k - m),  m the mean of b
        g = mean_k (r_k - mean_(j != k) r_j) * d log p(b_k) + d (s_k m)

    with `c = eta f` by default, eta learned by the variance of the gradient,
    and `s_k` held fixed. Unbiased for every `c`. K evaluations of `f`, and K
    of `c` with its derivative at the same samples; by default `f` must then
    be differentiable TensorFlow, off the hard samples too. For a one-hot b
    the last term goes through the Jacobian of the softmax.

    Args:
      scale: eta at the start; 0 is `LeaveOneOut`.
      control_variate: `c(b)`, in place of `eta f`, of the shape of `f(b)`.

    References:
      [1]: Titsias, Shi. Double control variates for gradient estimation in
           discrete latent variable models. AISTATS 2022. For Bernoulli units.
           https://arxiv.org/abs/2111.05300

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> estimator = DoubleCV()
      >>> loss = tfr.expectation(f, q, estimator=estimator, seed=(0, 0))
      >>> len(estimator.trainable_variables)
      1
    """

    needs = RelaxedDraw
    min_samples = 2

    def __init__(
        self, scale: float = 0.5, *, control_variate: Any = None
    ) -> None:
        """See the class."""
        if control_variate is None:
            control_variate = Scaled(Function(), scale)
        self.control_variate = control_variate

    def gradient(
        self, draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        k = draw.num_samples
        _, slope = value_and_derivative(control_variate, draw.sample, value)
        total = tf.reduce_sum(slope, 0, keepdims=True)
        of_others = (total - slope) / (k - 1)
        from_mean = draw.score["logits"]  # b - m, in either family.
        rest = value - _algebra.sum_after(of_others * from_mean, value)
        return _algebra.add(
            _algebra.scale(draw.score, from_others(rest, k)),
            draw.mean_pathwise(of_others),
        )

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"control_variate": self.control_variate}
