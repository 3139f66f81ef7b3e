"""K optimizer steps over one flat batch."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tf_relax.models._objective import PRETRAIN

_PRETRAIN_CHUNK = 100  # Steps of a control variate in one program.


def run_steps(
    step: Callable[[tf.Tensor], tf.Tensor],
    batch: tf.Tensor,
    num_steps: int,
    replicas: tuple[int, ...] = (),
) -> tf.Tensor:
    """Cuts `batch` into `num_steps` equal parts and steps over each.

    A batch of N examples makes K parts of `N // K`; the last `N % K` examples
    are left out. If N < K there are N steps of one example.

    Args:
      step: takes `[B, ...]`, returns a scalar, or `replicas`.
      batch: `[K * B, ...]`.
      num_steps: K.
      replicas: shape of what `step` returns.

    Returns:
      The mean of what `step` returned, in float32.
    """
    if num_steps == 1:
        return tf.cast(step(batch), tf.float32)
    size = tf.shape(batch)[0]
    count = tf.minimum(num_steps, size)
    part = size // count
    # An axis of steps: slices of a moving length would make every shape in
    # the loop dynamic, which XLA pads to the size of the whole batch.
    shape = tf.concat([[count, part], tf.shape(batch)[1:]], 0)
    parts = tf.reshape(batch[: count * part], shape)

    def body(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return index + 1, total + tf.cast(step(parts[index]), tf.float32)

    _, total = tf.while_loop(
        lambda index, _: index < count,
        body,
        (tf.constant(0), tf.zeros(replicas)),
        parallel_iterations=1,
    )
    return total / tf.cast(count, total.dtype)


def pretraining_batches(
    images: np.ndarray, batch_size: int, steps: int, *, seed: int, done: int
) -> Iterator[np.ndarray]:
    """Yields flat batches for steps of the control variates alone.

    Args:
      images: to draw from, with replacement, `[N, ...]`.
      batch_size: B.
      steps: how many in all; of each batch, its length divided by B.
      seed: of the run.
      done: such steps that were taken before.
    """
    rng = np.random.default_rng([seed, PRETRAIN, done])
    while steps > 0:
        chunk = min(steps, _PRETRAIN_CHUNK)
        yield images[rng.integers(0, len(images), chunk * batch_size)]
        steps -= chunk


def kl_weight(
    step: tf.Tensor, warmup_steps: int | Sequence[int]
) -> tf.Tensor | None:
    """Returns the weight of the KL term: linear in the step, then 1.

    Args:
      step: steps that are done.
      warmup_steps: in which it rises to 1; 0 for 1 at once. One number, or
        one a replica.

    Returns:
      One weight a number; None if all are 1 at once.
    """
    if not np.any(warmup_steps):
        return None
    rise = np.maximum(np.asarray(warmup_steps, np.float32), np.float32(1.0))
    return tf.minimum(1.0, (tf.cast(step, tf.float32) + 1.0) / rise)
