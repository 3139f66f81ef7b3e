"""VarGrad: leave-one-out as the derivative of a variance of samples."""

from typing import Any

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._evaluate import evaluate
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._leave_one_out import LeaveOneOut
from tf_relax.estimators._registry import register


@register("vargrad")
class VarGrad(LeaveOneOut):
    """The VarGrad estimator, of K >= 2 samples; and its loss.

        loss = sum_k (h_k - mean_j h_j)^2 / (2 (K - 1))
        h_k = f(b_k) + log q(b_k), of which only log q has a derivative

    With the samples held fixed, the derivative of `loss` at the parameters of
    q is that of `LeaveOneOut`, sample by sample: unbiased for every
    distribution and every `f`. K evaluations of `f`, no derivative of it.
    `loss` is what a plain Keras or TensorFlow program can minimise; its value
    is half the variance of f, not f, and nothing that f uses is trained by
    it. As an estimator, `VarGrad()` is `LeaveOneOut()`.

    References:
      [1]: Richter et al. VarGrad: A low-variance gradient estimator for
           variational inference. NeurIPS 2020.
           https://arxiv.org/abs/2010.10436

    Examples:
      >>> import tf_relax as tfr
      >>> logits = tf.Variable([0.3, -1.0])
      >>> f = lambda b: tf.reduce_sum(b, -1) ** 2
      >>> with tf.GradientTape() as tape:
      ...     q = tfr.distributions.Bernoulli(logits=logits)
      ...     loss = VarGrad().loss(f, q, seed=(0, 0), num_samples=4)
      >>> tape.gradient(loss, logits).shape
      TensorShape([2])
    """

    def loss(
        self,
        f: ScalarFn,
        distribution: Any,
        *,
        seed: tf.Tensor,
        num_samples: int | None = None,
    ) -> tf.Tensor:
        """Returns the loss of each example, in the shape of one `f(b)`.

        Args:
          f: `[..., E...] -> [...]`, TensorFlow or not.
          distribution: one of `tf_relax.distributions`.
          seed: stateless seed, two integers.
          num_samples: K >= 2.

        Raises:
          TypeError: if the distribution is none of this package.
          ValueError: if a shape, dtype, seed or number of samples is wrong.
        """
        draw = self.draw(distribution, seed=seed, num_samples=num_samples)
        sample = tf.cast(draw.sample, distribution.dtype)
        # The loss is of q alone: f is a number.
        value = tf.stop_gradient(evaluate(f, [sample], draw))
        log_q = _algebra.sum_after(distribution.log_prob(sample), value)
        h = value + tf.cast(log_q, value.dtype) - tf.stop_gradient(log_q)
        centred = h - tf.reduce_mean(h, 0, keepdims=True)
        total = tf.reduce_sum(tf.square(centred), 0)
        return total / (2.0 * (draw.num_samples - 1))
