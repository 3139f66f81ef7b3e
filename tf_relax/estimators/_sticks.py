"""A categorical as a row of bits: which is the first to be 1?"""

import math
from typing import NamedTuple

import tensorflow as tf

from tf_relax._shapes import known_sizes


class Sticks(NamedTuple):
    """C - 1 Bernoulli bits that make a one-hot sample of C classes.

    The classes are sorted, the least probable first; bit k is 1 if class k is
    chosen when none before it was. Every bit but the last then has a
    probability of at most 1 / 3, and the last one at most 1 / 2.
    """

    logits: tf.Tensor  # Of the bits, [..., C - 1], in nats.
    order: tf.Tensor  # Row k is the one-hot vector of class k, [..., C, C].
    later: tf.Tensor  # p(class | neither k nor one before it), [..., C - 1, C].

    def one_hot(self, bits: tf.Tensor) -> tf.Tensor:
        """Returns the sample of bits, `[..., C - 1]` to `[..., C]`."""
        # 1 as long as none before was 1; the last class if none is.
        open_still = tf.math.cumprod(1.0 - bits, axis=-1)
        ones = tf.ones_like(bits[..., :1])
        first = tf.concat([ones, open_still], -1)
        return self.unsort(first * tf.concat([bits, ones], -1))

    def unsort(self, x: tf.Tensor) -> tf.Tensor:
        """Takes a vector of the sorted classes to the given order."""
        return tf.reduce_sum(x[..., tf.newaxis] * self.order, -2)

    def pull_back(self, gradient: tf.Tensor) -> tf.Tensor:
        """Carries a gradient by the bits' logits to those of the classes."""
        own = tf.concat([gradient, tf.zeros_like(gradient[..., :1])], -1)
        later = tf.reduce_sum(gradient[..., tf.newaxis] * self.later, -2)
        return self.unsort(own - later)


def sticks_of(log_probs: tf.Tensor) -> Sticks:
    """Returns the bits of a categorical.

    Bit k has the logit `l_k - logsumexp(l_j, j > k)` of the sorted logits.

    Args:
      log_probs: `[..., C]`, in nats.

    References:
      [1]: Dong, Mnih, Tucker. Coupled gradient estimators for discrete latent
           variables. NeurIPS 2021. https://arxiv.org/abs/2106.08056
    """
    [num_classes] = known_sizes(log_probs.shape[-1:], "Stick-breaking")
    index = tf.argsort(log_probs, axis=-1)
    order = tf.one_hot(index, num_classes, dtype=log_probs.dtype)
    logits = tf.sort(log_probs, axis=-1)
    after = tf.linalg.band_part(tf.ones([num_classes] * 2), 0, -1)
    after = tf.linalg.set_diag(after, tf.zeros([num_classes]))[:-1] > 0
    outside = tf.constant(-math.inf, logits.dtype)
    of_later = tf.where(after, logits[..., tf.newaxis, :], outside)
    return Sticks(
        logits[..., :-1] - tf.reduce_logsumexp(of_later, -1),
        order,
        tf.nn.softmax(of_later),
    )
