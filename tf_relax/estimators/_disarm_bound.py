"""DisARM, of each sample of a bound by itself."""

import tensorflow as tf

from tf_relax.estimators._arm import partner
from tf_relax.estimators._bound import BoundEstimator
from tf_relax.estimators._bound import log_mean_exp
from tf_relax.estimators._bound import log_sum_of_others
from tf_relax.estimators._disarm import DisARM
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


@register("disarm_bound")
class DisARMBound(DisARM, BoundEstimator):
    """DisARM for bounds of K / 2 samples of Bernoulli b, K even.

        L(b) = log mean_k w(b_k),  log w = -f
        D_k(b) = L(b with b_k) - L(b with b'_k in its place)
        g = -sum_k (D_k(b) + D_k(b')) / 4 * (b_k - b'_k) * sigmoid(|logits|)

    over K / 2 antithetic pairs `b_k, b'_k`, D_k(b') being the same difference
    among the other samples of b'. The gradient of `E[-L]`, of which both L(b)
    and L(b') are evaluated: given the others, L is a function of one sample,
    and `DisARM` is unbiased for it. What f itself depends on the parameters by
    is added to it. K evaluations of `f`, no derivative of it. For K = 2 this
    is `DisARM`. It is infinite where a bound is: where no sample of a half,
    or of one with a swapped sample, is possible (`f = inf`).

    References:
      [1]: Dong, Mnih, Tucker. DisARM: An antithetic gradient estimator for
           binary latent variables. NeurIPS 2020. Of multi-sample bounds.
           https://arxiv.org/abs/2006.10680

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> loss = lambda b: tf.reduce_sum(b, -1)
      >>> tfr.expectation(loss, q, estimator=DisARMBound(),
      ...                 num_samples=8, seed=(0, 0)).shape
      TensorShape([])
    """

    counterpart = "VIMCO"
    in_layers = "VIMCO(), VIMCO()"

    def combine(self, value: tf.Tensor, draw: Draw) -> tf.Tensor:
        """Returns the mean of the pairs' two bounds, `[B...]`."""
        return -0.5 * sum(log_mean_exp(-half) for half in tf.split(value, 2))

    def gradient(
        self, draw: BernoulliDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        pairs = draw.num_samples // 2
        of_others = tf.concat(
            [log_sum_of_others(-half, pairs) for half in tf.split(value, 2)], 0
        )
        # Up to constants: a sample among the others of either half.
        local = 0.5 * sum(
            tf.reduce_logsumexp(tf.stack([rest, -value]), 0)
            for rest in (of_others, partner(of_others))
        )
        return super().gradient(draw, -pairs * local, control_variate)
