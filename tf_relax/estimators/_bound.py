"""What estimators for bounds of several samples have in common."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._expectation import expectation
from tf_relax.relaxations import Draw


class BoundEstimator(Estimator):
    """Base class of estimators for a bound of K >= 2 samples.

    In place of `E[f(b)]` it is, with log-weights `log w_k = -f(b_k)`,

        E[-log mean_k w_k]

    that is estimated and differentiated. Where f depends on the parameters of
    q itself, as it does by `log q(b)`, that derivative is part of the gradient:
    unlike that of an ELBO, its mean is not zero.
    """

    min_samples = 2

    def combine(self, value: tf.Tensor, draw: Draw) -> tf.Tensor:
        """Returns `-log mean_k exp(-f(b_k))`, `[B...]`."""
        del draw
        return -log_mean_exp(-value)


def multi_sample_bound(
    log_joint: Callable[[tf.Tensor], Any],
    distribution: Any,
    *,
    estimator: BoundEstimator,
    seed: tf.Tensor,
    num_samples: int | None = None,
    context: Any = None,
    variables: Sequence[Any] | None = None,
) -> tf.Tensor:
    """Returns `log mean_k p(x, b_k) / q(b_k)`, differentiable by an estimator.

    The importance-weighted bound on `log p(x)`. In any tape, the parameters of
    q get the whole gradient, that of `log q(b_k)` included, and what
    `log_joint` uses (a decoder) its plain gradient: one to climb. It is
    `-expectation(log q - log_joint, q, ...)`.

    Args:
      log_joint: `log p(x, b)`, `[..., E...] -> [...]`: reduces the axes of one
        joint outcome. It is given `[K, B..., E...]`.
      distribution: q, one of `tf_relax.distributions`.
      estimator: such as `VIMCO()`.
      seed: stateless seed, two integers.
      num_samples: K. Default: as few as the estimator needs.
      context: see `expectation`.
      variables: see `expectation`.

    Returns:
      The bound of each example, in nats, usually `[B]`.

    Raises:
      TypeError: if the estimator is not one for bounds, or not valid for the
        distribution, or that is a `Chain`.
      ValueError: if `log_joint` returns no floating values, or see
        `expectation`.

    References:
      [1]: Burda, Grosse, Salakhutdinov. Importance weighted autoencoders.
           ICLR 2016. https://arxiv.org/abs/1509.00519

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([24, 3]))
      >>> log_joint = lambda b: tf.reduce_sum(b, -1) - 4.0
      >>> bound = multi_sample_bound(
      ...     log_joint, q, estimator=tfr.VIMCO(), num_samples=5, seed=(0, 0))
      >>> bound.shape
      TensorShape([24])
    """
    if hasattr(distribution, "conditionals"):
        raise TypeError(
            "A bound of several samples is of one distribution. Received: a "
            "Chain. Use `expectation` with an estimator for each layer."
        )
    if not isinstance(estimator, BoundEstimator):
        raise TypeError(
            "`estimator` must be one for bounds of several samples, such as "
            f"tf_relax.VIMCO(). Received: estimator={estimator!r}. Use "
            "`expectation` for others."
        )

    def loss(b: tf.Tensor) -> tf.Tensor:
        log_p = tf.convert_to_tensor(log_joint(b))
        if not log_p.dtype.is_floating:
            raise ValueError(
                "`log_joint` must return floating values. Received: "
                f"dtype={log_p.dtype.name}."
            )
        log_q = distribution.log_prob(tf.cast(b, distribution.dtype))
        log_p, log_q = tf.cast(log_p, b.dtype), tf.cast(log_q, b.dtype)
        return _algebra.sum_after(log_q, log_p) - log_p

    return -expectation(
        loss,
        distribution,
        estimator=estimator,
        seed=seed,
        num_samples=num_samples,
        context=context,
        variables=variables,
    )


def log_mean_exp(x: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of the mean of `exp(x)` over the first axis."""
    size = tf.cast(tf.shape(x)[0], x.dtype)
    return tf.reduce_logsumexp(x, 0) - tf.math.log(size)


def log_sum_of_others(x: tf.Tensor, num_samples: int) -> tf.Tensor:
    """Returns `log sum_(j != k) exp(x_j)`, `[K, ...]`; -inf for K = 1.

    Not the whole sum less one's own, which could round to nothing.
    """
    nothing = tf.fill(tf.shape(x), tf.constant(-float("inf"), x.dtype))
    others = of_others(x, num_samples)
    return tf.reduce_logsumexp(tf.stack([nothing, *others]), 0)


def of_others(x: tf.Tensor, num_samples: int) -> list[tf.Tensor]:
    """Returns K - 1 tensors that have at k what x has at another sample."""
    return [tf.roll(x, j, 0) for j in range(1, num_samples)]
