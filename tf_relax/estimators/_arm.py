"""ARM: REINFORCE merged over two antithetic samples of Bernoulli units."""

import dataclasses

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.relaxations import bernoulli_draw
from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import Gradients


@register("arm")
class ARM(Estimator):
    """The augment-REINFORCE-merge estimator for Bernoulli b.

        g = (f(b) - f(b')) * (u - 1 / 2)
        b = 1[u > 1 - p],  b' = 1[1 - u > 1 - p],  p = sigmoid(logits)

    Unbiased for every `f`, of which no derivative is taken. Two evaluations
    of `f`; an even number K of samples makes K / 2 pairs, and their mean.
    `DisARM` has the same evaluations and less variance.

    References:
      [1]: Yin, Zhou. ARM: Augment-REINFORCE-merge gradient for stochastic
           binary networks. ICLR 2019. https://arxiv.org/abs/1807.11143

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> f = lambda b: tf.reduce_sum(b, -1) ** 2
      >>> estimate = ARM().estimate(f, q, seed=(0, 0))
      >>> tf.reduce_sum(estimate.sample, 0).numpy()  # At p = 1 / 2.
      array([1., 1., 1.], dtype=float32)
    """

    needs = BernoulliDraw
    counterpart = "DisARMSB"
    min_samples = 2
    samples_step = 2
    couples = True

    def redraw(self, draw: BernoulliDraw, seed: tf.Tensor) -> BernoulliDraw:
        """Returns K / 2 samples, then those of `1 - u`."""
        del seed
        first = draw.u[: draw.num_samples // 2]
        pairs = bernoulli_draw(
            draw.logits,
            tf.concat([first, 1.0 - first], 0),
            draw.v,
            draw.num_samples,
        )
        return dataclasses.replace(pairs, event_ndims=draw.event_ndims)

    def gradient(
        self, draw: BernoulliDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        # The same for both samples of a pair.
        difference = value - partner(value)
        weight = tf.where(  # The noise knows nothing of what is undefined.
            tf.math.is_nan(draw.logits), draw.logits, draw.u - 0.5
        )
        return _algebra.scale({"logits": weight}, difference)


def partner(x: tf.Tensor) -> tf.Tensor:
    """Returns what belongs to the other sample of each pair."""
    return tf.roll(x, tf.shape(x)[0] // 2, axis=0)
