"""DisARM: ARM, averaged over the noise that gives the same two samples."""

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._arm import ARM
from tf_relax.estimators._arm import partner
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import Gradients


@register("disarm")
class DisARM(ARM):
    """The DisARM estimator, also known as U2G, for Bernoulli b.

        g = (f(b) - f(b')) / 2 * (b - b') * sigmoid(|logits|)

    where b and b' are the antithetic samples of `ARM`, whose estimate this is
    the mean of, given b and b'. Unbiased for every `f`, of which no
    derivative is taken. Two evaluations of `f`; an even number K of samples
    makes K / 2 pairs, and their mean.

    References:
      [1]: Dong, Mnih, Tucker. DisARM: An antithetic gradient estimator for
           binary latent variables. NeurIPS 2020.
           https://arxiv.org/abs/2006.10680
      [2]: Yin, Ho, Yan, Qian, Zhou. Probabilistic best subset selection by
           gradient-based optimization. 2020 (U2G).
           https://arxiv.org/abs/2006.06448

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> f = lambda b: tf.reduce_sum(b, -1) ** 2
      >>> loss = tfr.expectation(f, q, estimator=DisARM(), seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    def gradient(
        self, draw: BernoulliDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        apart = draw.sample - partner(draw.sample)
        weight = 0.5 * apart * tf.sigmoid(tf.abs(draw.logits))
        return _algebra.scale({"logits": weight}, value - partner(value))
