"""CARMS: leave-one-out over K antithetic samples of one-hot units."""

import dataclasses

import tensorflow as tf

from tf_relax.estimators import _copula
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import expand_like
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.estimators._sticks import sticks_of
from tf_relax.relaxations import CategoricalDraw
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


@dataclasses.dataclass(frozen=True)
class _RepelledDraw(Draw):
    bits: tf.Tensor  # [K, B..., C - 1]
    ratio: tf.Tensor  # R, by the first bit that is 1, [B..., C - 1].


@register("carms")
class CARMS(Estimator):
    """The CARMS estimator, of K >= 2 samples of one-hot b.

        g = mean_(k != j) R_kj / 2 * (f(b_k) - f(b_j)) * (b_k - b_j)
        R_kj = p(b_k) p(b_j) / p(b_k, b_j), of each unit by itself

    Each unit is made of bits by stick-breaking in ascending order of p, see
    `DisARMSB`, and the K copies of a bit are antithetic, see `ARMS`. R is
    then known, and depends on the first bit that decides one of the two
    samples only. Unbiased for every `f`, of which no derivative is taken. K
    evaluations of `f`.

    References:
      [1]: Dimitriev, Zhou. CARMS: Categorical-antithetic-REINFORCE
           multi-sample gradient estimator. NeurIPS 2021.
           https://arxiv.org/abs/2110.14002
      [2]: Dong, Mnih, Tucker. Coupled gradient estimators for discrete latent
           variables. NeurIPS 2021. https://arxiv.org/abs/2106.08056

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.OneHotCategorical(logits=tf.zeros([2, 5]))
      >>> f = lambda b: tf.reduce_sum(b[..., 1:] ** 2, -1)
      >>> loss = tfr.expectation(
      ...     f, q, estimator=CARMS(), num_samples=4, seed=(0, 0))
      >>> loss.shape
      TensorShape([2])
    """

    needs = CategoricalDraw
    counterpart = "ARMS"
    min_samples = 2
    couples = True

    def redraw(self, draw: CategoricalDraw, seed: tf.Tensor) -> Draw:
        """Returns K antithetic samples."""
        del seed
        k, sticks = draw.num_samples, sticks_of(draw.log_probs)
        log_u = _copula.log_uniforms(draw.v[..., :-1], k)
        bits = tf.cast(log_u < -tf.math.softplus(-sticks.logits), log_u.dtype)
        return _RepelledDraw(
            **vars(draw.at(sticks.one_hot(bits), k)),
            bits=bits,
            ratio=_ratio(sticks.logits, k),
        )

    def gradient(
        self, draw: _RepelledDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        total = tf.zeros_like(draw.sample)
        for shift in range(1, draw.num_samples):
            other = tf.roll(draw.sample, shift, 0)
            either = tf.maximum(draw.bits, tf.roll(draw.bits, shift, 0))
            difference = value - tf.roll(value, shift, 0)
            total += (
                _of_first(either, draw.ratio)
                * (draw.sample - other)
                * expand_like(difference, other)
            )
        return {"logits": total / (2.0 * (draw.num_samples - 1))}


def _ratio(logits: tf.Tensor, num_samples: int) -> tf.Tensor:
    """Returns R for two samples of which bit k is the first to decide one.

    Before it, both bits of a pair are 0; at it, just one is; behind it, one
    sample alone goes on, by the law that it has without the other.

    Args:
      logits: of the bits, `[..., C - 1]`, at most 0.
      num_samples: K.
    """
    log_p, log_not_p = -tf.math.softplus(-logits), -tf.math.softplus(logits)
    log_repulsion = _copula.log_repulsion(log_p, num_samples)
    one = log_not_p - log_repulsion
    ratio = tf.exp(log_p - log_not_p + log_repulsion)[..., :-1]
    none = log_not_p[..., :-1] - tf.math.log1p(-ratio)
    before = tf.concat([tf.zeros_like(one[..., :1]), none], -1)
    return tf.exp(tf.cumsum(before, -1) + one)


def _of_first(bits: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Returns x at the first bit that is 1, 0 if none is, `[..., 1]`."""
    first = bits * tf.math.cumprod(1.0 - bits, axis=-1, exclusive=True)
    return tf.reduce_sum(first * x, -1, keepdims=True)
