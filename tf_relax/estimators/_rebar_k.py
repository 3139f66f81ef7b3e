"""REBAR of K samples, with the others' mean residual as a baseline."""

from typing import Any

from tf_relax.estimators._rebar import REBAR
from tf_relax.estimators._registry import register
from tf_relax.estimators._relax_k import Coefficient
from tf_relax.estimators._relax_k import RELAXK


@register("rebar_k")
class REBARK(RELAXK):
    """`RELAXK` with the control variate of `REBAR`.

        c(z) = eta * f(squash(z / lambda))

    with `eta`, `lambda` and `beta` learned by the variance of the gradient.
    Unbiased. K evaluations of `f` at hard samples, and K (with independent
    noises 2 K) of `f` and its derivative at relaxed ones: `f` must be
    differentiable TensorFlow, between the hard samples too.

    Args:
      temperature: `lambda` at the start, > 0.
      scale: `eta` at the start.
      beta: see `RELAXK`.
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
      >>> estimate = REBARK().estimate(f, q, seed=(0, 0), num_samples=3)
      >>> len(estimate.variance_gradients)
      3
    """

    def __init__(
        self,
        temperature: float = 0.5,
        scale: float = 1.0,
        beta: float | Coefficient = 0.0,
        *,
        coupled: bool = True,
        control_variate: Any = None,
    ) -> None:
        """See the class."""
        rebar = REBAR(temperature, scale, control_variate=control_variate)
        super().__init__(rebar.control_variate, beta, coupled=coupled)
