"""REBAR: RELAX whose control variate is the relaxed f itself."""

from typing import Any

from tf_relax.control_variates import RelaxedFunction
from tf_relax.control_variates import Scaled
from tf_relax.estimators._registry import register
from tf_relax.estimators._relax import RELAX


@register("rebar")
class REBAR(RELAX):
    """The REBAR estimator: RELAX with `c(z) = eta * f(squash(z / lambda))`.

    `squash` is the sigmoid or the softmax. The temperature `lambda` and the
    scale `eta` are learned by the variance of the gradient. `f` must be
    differentiable TensorFlow, defined and continuous between the hard samples
    too. One
    evaluation of `f` at the hard sample; one (coupled) or two evaluations
    and derivatives of it at relaxed ones.

    This is REBAR as the RELAX paper has it: the relaxation is plain, there is
    one scale, and there is no further baseline.

    Args:
      temperature: at the start, > 0.
      scale: eta at the start.
      coupled: see `RELAX`.
      control_variate: what to use in place of temperature and scale; given
        when an estimator is loaded.

    References:
      [1]: Tucker et al. REBAR: Low-variance, unbiased gradient estimates for
           discrete latent variable models. NeurIPS 2017.
           https://arxiv.org/abs/1703.07370

    Examples:
      >>> import tensorflow as tf
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> loss = tfr.expectation(f, q, estimator=REBAR(), seed=(0, 0))
      >>> len(REBAR().trainable_variables)
      2
    """

    def __init__(
        self,
        temperature: float = 0.5,
        scale: float = 1.0,
        *,
        coupled: bool = True,
        control_variate: Any = None,
    ) -> None:
        """See the class."""
        if control_variate is None:
            control_variate = Scaled(RelaxedFunction(temperature), scale)
        super().__init__(control_variate, coupled=coupled)
