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
