"""K uniforms that repel each other, and what they do to bits."""

import tensorflow as tf


def log_uniforms(uniforms: tf.Tensor, num_samples: int) -> tf.Tensor:
    """Returns the logarithms of K antithetic uniforms, `[K, ...]`.

    `u_k = (1 - d_k)^(K - 1)` of d ~ Dirichlet(1, ..., 1): each is uniform,
    and for K = 2 they are u and 1 - u.

    Args:
      uniforms: independent ones, in (0, 1), `[K, ...]`.
      num_samples: K > 1.

    References:
      [1]: Dimitriev, Zhou. ARMS. ICML 2021.
           https://arxiv.org/abs/2105.14141
    """
    exponential = -tf.math.log(uniforms)
    # Not the total less one's own, which could round to nothing.
    others = sum(tf.roll(exponential, k, 0) for k in range(1, num_samples))
    log_share = tf.math.log(others) - tf.math.log(others + exponential)
    return (num_samples - 1) * log_share


def log_repulsion(log_p: tf.Tensor, num_samples: int) -> tf.Tensor:
    """Returns `log (1 - P(both 1) / p)` of two bits `1[u_k < p]`.

    The bits are of two out of K antithetic uniforms;
    `P(both 1) = max(2 p^(1 / (K - 1)) - 1, 0)^(K - 1)`.

    Args:
      log_p: `log p`, p at most 1 / 2.
      num_samples: K > 1.
    """
    power = num_samples - 1
    base = tf.maximum(2.0 - tf.exp(-log_p / power), 0.0)
    return tf.math.log1p(-(base**power))
