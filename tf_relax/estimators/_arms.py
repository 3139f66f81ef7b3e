"""ARMS: leave-one-out over K antithetic samples of Bernoulli units."""

import dataclasses

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators import _copula
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._leave_one_out import from_others
from tf_relax.estimators._registry import register
from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


@dataclasses.dataclass(frozen=True)
class _AntitheticDraw(Draw):
    inverse_rho: tf.Tensor  # See `ARMS`.


@register("arms")
class ARMS(Estimator):
    """The ARMS estimator, of K >= 2 samples of Bernoulli b.

        g = mean_k (f(b_k) - mean_(j != k) f(b_j)) * d log p(b_k) / rho
        rho = (p - P(b_k = b_j = 1)) / (p (1 - p))

    The bits of a unit are antithetic: `b_k = 1[u_k < p]` where `p < 1 / 2`,
    else `1[1 - u_k < p]`, of K uniforms by a Dirichlet copula. Unbiased for
    every `f`, of which no derivative is taken; without `rho`, which is
    known, it would not be. K evaluations of `f`. For K = 2 it is `DisARM`.

    References:
      [1]: Dimitriev, Zhou. ARMS: Antithetic-REINFORCE-multi-sample gradient
           for binary variables. ICML 2021. https://arxiv.org/abs/2105.14141

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> f = lambda b: tf.reduce_sum(b, -1) ** 2
      >>> loss = tfr.expectation(
      ...     f, q, estimator=ARMS(), num_samples=4, seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    needs = BernoulliDraw
    counterpart = "CARMS"
    min_samples = 2
    couples = True

    def redraw(self, draw: BernoulliDraw, seed: tf.Tensor) -> Draw:
        """Returns K antithetic samples."""
        del seed
        k, distance = draw.num_samples, tf.abs(draw.logits)
        log_rare = -tf.math.softplus(distance)  # log min(p, 1 - p).
        rare = _copula.log_uniforms(draw.u, k) < log_rare
        sample = tf.cast(rare, distance.dtype)
        sample = tf.where(draw.logits > 0, 1.0 - sample, sample)
        # It is the same for p and for 1 - p.
        log_scale = -tf.math.softplus(-distance)
        log_scale -= _copula.log_repulsion(log_rare, k)
        return _AntitheticDraw(
            **vars(draw.at(sample, k)), inverse_rho=tf.exp(log_scale)
        )

    def gradient(
        self,
        draw: _AntitheticDraw,
        value: tf.Tensor,
        control_variate: ScalarFn,
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        score = {"logits": draw.inverse_rho * draw.score["logits"]}
        return _algebra.scale(score, from_others(value, draw.num_samples))
