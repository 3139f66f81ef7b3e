"""VIMCO: each sample's own part of a bound of several samples."""

import math

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._bound import BoundEstimator
from tf_relax.estimators._bound import log_mean_exp
from tf_relax.estimators._bound import log_sum_of_others
from tf_relax.estimators._bound import of_others
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


@register("vimco")
class VIMCO(BoundEstimator):
    """The VIMCO estimator for bounds of K >= 2 samples.

        L = log mean_k w_k,  log w_k = -f(b_k)
        g = -sum_k (L - L_k) * d log p(b_k)
        L_k = L with log w_k replaced by mean_(j != k) log w_j

    the gradient of `E[-L]`, see `multi_sample_bound`. Unbiased, since `L_k`
    knows nothing of `b_k`; the part that f itself depends on the parameters by
    is added to it. Any distribution and any f, of which no derivative is
    taken; finite where f is infinite (`w_k = 0`) at up to K - 2 samples. K
    evaluations.

    References:
      [1]: Mnih, Rezende. Variational inference for Monte Carlo objectives.
           ICML 2016. https://arxiv.org/abs/1602.06725

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> loss = lambda b: tf.reduce_sum(b, -1)
      >>> tfr.expectation(
      ...     loss, q, estimator=VIMCO(), num_samples=5, seed=(0, 0)).shape
      TensorShape([])
    """

    def gradient(
        self, draw: Draw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        k, log_w = draw.num_samples, -value
        # Not the sum less one's own, which may be minus infinity.
        mean_of_others = tf.add_n(of_others(log_w, k)) / (k - 1)
        without = tf.reduce_logsumexp(
            tf.stack([log_sum_of_others(log_w, k), mean_of_others]), 0
        )
        part = log_mean_exp(log_w) - (without - math.log(k))
        return _algebra.scale(draw.score, -k * part)
