"""RELAX of antithetic pairs, with DisARM's weight of their difference."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf_relax.control_variates import RelaxedFunction
from tf_relax.control_variates import Scaled
from tf_relax.estimators import _algebra
from tf_relax.estimators._disarm import DisARM
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._registry import register
from tf_relax.estimators._relax_k import Coefficient
from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import Gradients


@register("relax_disarm")
class RELAXDisARM(DisARM):
    """RELAX and DisARM together, for Bernoulli b.

        r = f(b) - c(z),  z ~ z | b
        s = (1 - beta) r d log p(b) + beta (r - r') w / 2
        w = (b - b') sigmoid(|logits|)
        g = mean of s + k c'(z) over the pair,  k as in `RELAX`

    where b and b' are antithetic as in `ARM`. With `c = 0` and `beta = 1` this
    is `DisARM`; with `beta = 0` it is `RELAX` of antithetic samples.

    Unbiased for every `c` and `beta`. By itself each sample has the law of a
    RELAX draw, so `beta = 0` needs no more. DisARM takes functions of b alone:
    that of `h(b) = E[c(z) | b]` has the mean of `E[c(z) d log p(b)]`, and
    `c(z)` may stand for `h(b)` if z knows of b' no more than b does. The z and
    z' that the pair's own uniforms u and 1 - u make do not qualify: u tells
    b'. Hence they are drawn anew, from `v` given b and `1 - v` given b', whose
    dependence on each other does no harm and takes away more variance.

    Two evaluations of `f` and two of `c`, for an even number K of samples K
    of each; no derivative of `f`, but of `c`. `beta` is learned, with `c`, by
    the variance of the gradient.

    Args:
      control_variate: see `RELAX`. None: that of `REBAR`, for which `f` must
        be differentiable TensorFlow, between the hard samples too.
      beta: at the start, or a `Coefficient`. Near 0 for a `c` with the
        relaxed f; 1 for a network alone.
      temperature: of REBAR's control variate at the start, > 0.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           https://arxiv.org/abs/1711.00123
      [2]: Dong, Mnih, Tucker. DisARM: An antithetic gradient estimator for
           binary latent variables. NeurIPS 2020.
           https://arxiv.org/abs/2006.10680

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> f = lambda b: tf.reduce_sum(b, -1) ** 2
      >>> estimate = RELAXDisARM().estimate(f, q, seed=(0, 0))
      >>> len(estimate.variance_gradients)
      3
    """

    counterpart = "RELAXK"

    def __init__(
        self,
        control_variate: Any = None,
        beta: float | Coefficient = 0.0,
        *,
        temperature: float = 0.5,
    ) -> None:
        """See the class."""
        if control_variate is None:
            control_variate = Scaled(RelaxedFunction(temperature))
        if not isinstance(beta, Coefficient):
            beta = Coefficient(beta)
        self.control_variate = control_variate
        self.beta: Any = beta  # Keras has no types.

    def redraw(self, draw: BernoulliDraw, seed: tf.Tensor) -> BernoulliDraw:
        """Returns K / 2 antithetic pairs, each z drawn again given its b."""
        v = draw.v[: draw.num_samples // 2]
        pairs = dataclasses.replace(
            super().redraw(draw, seed), v=tf.concat([v, 1.0 - v], 0)
        )
        # The uniform of z given b, as in `z = logits + logit(u)`.
        p, not_p = tf.sigmoid(draw.logits), tf.sigmoid(-draw.logits)
        u = tf.where(pairs.sample > 0, not_p + p * pairs.v, not_p * pairs.v)
        return dataclasses.replace(pairs, relaxed=pairs.conditional(), u=u)

    def gradient(
        self, draw: BernoulliDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        c, slope = value_and_derivative(control_variate, draw.relaxed, value)
        plain = _algebra.scale(draw.score, value - c)
        paired = super().gradient(draw, value - c, control_variate)
        change = _algebra.subtract(paired, plain)
        return _algebra.add(
            {name: plain[name] + self.beta(change[name]) for name in plain},
            draw.coupled_pathwise(slope),
        )

    @property
    def layers(self) -> list[Any]:
        """See `Estimator.layers`."""
        return [*super().layers, self.beta]

    @property
    def trainable_variables(self) -> list[Any]:
        """See `Estimator.trainable_variables`."""
        return [*super().trainable_variables, *self.beta.trainable_variables]

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"control_variate": self.control_variate, "beta": self.beta}
