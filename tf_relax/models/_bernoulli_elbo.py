"""Log-likelihoods of the discrete VAE, defined between the bits as well."""

import tensorflow as tf


def log_bernoulli(bits: tf.Tensor, logits: tf.Tensor, ndims: int) -> tf.Tensor:
    """Returns `log p(bits)` in nats, summed over the last `ndims` axes.

    Linear in `bits`, which may therefore be relaxed.

    Args:
      bits: in [0, 1], `[..., D]`.
      logits: log-odds of a 1, broadcastable to `bits`.
      ndims: how many axes are one outcome.
    """
    log_p = bits * logits - tf.math.softplus(logits)
    return tf.reduce_sum(log_p, list(range(-ndims, 0)))


def log_bernoulli_ratio(
    bits: tf.Tensor, logits: tf.Tensor, other_logits: tf.Tensor
) -> tf.Tensor:
    """Returns `log p(bits) - log p_other(bits)`, summed over the last axis.

    One product with `bits` and not two: the derivative is shorter, and a sum
    of two terms is the same in either order, which a graph does not fix.
    """
    constant = tf.math.softplus(other_logits) - tf.math.softplus(logits)
    return tf.reduce_sum(bits * (logits - other_logits) + constant, -1)
