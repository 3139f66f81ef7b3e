"""DisARM-SB: DisARM on the bits that a one-hot sample is made of."""

import dataclasses

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._arm import partner
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.estimators._sticks import Sticks
from tf_relax.estimators._sticks import sticks_of
from tf_relax.relaxations import CategoricalDraw
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


@dataclasses.dataclass(frozen=True)
class _StickDraw(Draw):
    bits: tf.Tensor  # [K, B..., C - 1]
    sticks: Sticks


@register("disarm_sb")
class DisARMSB(Estimator):
    """The DisARM estimator for one-hot b, by stick-breaking.

        b = the first class k, in ascending order of p, whose bit e_k is 1
        P(e_k = 1) = sigmoid(a_k),  a_k = l_k - logsumexp(l_j, j > k)
        d a_k: (f(b) - f(b')) / 2 * (e_k - e'_k) * sigmoid(|a_k|)

    of two samples b, b' with antithetic bits e, e'; a bit behind the choices
    of both counts as 0, and the rest is the chain rule from `a` to the logits
    l. Unbiased for every `f`, of which no derivative is taken. Two
    evaluations of `f`; an even number K of samples makes K / 2 pairs.

    References:
      [1]: Dong, Mnih, Tucker. Coupled gradient estimators for discrete latent
           variables. NeurIPS 2021. https://arxiv.org/abs/2106.08056

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.OneHotCategorical(logits=tf.zeros([2, 5]))
      >>> f = lambda b: tf.reduce_sum(b[..., 1:] ** 2, -1)
      >>> loss = tfr.expectation(f, q, estimator=DisARMSB(), seed=(0, 0))
      >>> loss.shape
      TensorShape([2])
    """

    needs = CategoricalDraw
    counterpart = "DisARM"
    min_samples = 2
    samples_step = 2
    couples = True

    def redraw(self, draw: CategoricalDraw, seed: tf.Tensor) -> Draw:
        """Returns K / 2 samples, then those of the antithetic bits."""
        del seed
        k, sticks = draw.num_samples, sticks_of(draw.log_probs)
        u = draw.v[: k // 2, ..., :-1]
        u = tf.concat([u, 1.0 - u], 0)
        noise = tf.math.log(u) - tf.math.log1p(-u)
        bits = tf.cast(sticks.logits + noise > 0, u.dtype)
        return _StickDraw(
            **vars(draw.at(sticks.one_hot(bits), k)), bits=bits, sticks=sticks
        )

    def gradient(
        self, draw: _StickDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        bits, logits = draw.bits, draw.sticks.logits
        chosen = tf.math.cumprod(1.0 - bits, axis=-1, exclusive=True)
        counts = tf.maximum(chosen, partner(chosen))
        weight = counts * (bits - partner(bits)) * tf.sigmoid(tf.abs(logits))
        return _algebra.scale(
            {"logits": draw.sticks.pull_back(0.5 * weight)},
            value - partner(value),
        )
