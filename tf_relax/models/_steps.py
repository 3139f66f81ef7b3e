"""K optimizer steps over one flat batch."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax.models._objective import PRETRAIN

Step = Callable[[tf.Tensor], tf.Tensor]

_PRETRAIN_CHUNK = 100  # Steps of a control variate in one program.


def run_steps(
    step: Step,
    batch: tf.Tensor,
    num_steps: int,
    *,
    every: int = 1,
    between: Step | None = None,
    replicas: tuple[int, ...] = (),
) -> tf.Tensor:
    """Cuts a batch into equal parts, and steps over each. See `cut`.

    Args:
      step: takes `[B, ...]`, returns a scalar, or `replicas`.
      batch: `[K * B, ...]`.
      num_steps: K.
      every: divides K; of so many steps the first is `step`.
      between: the others, if there are any.
      replicas: shape of what `step` returns.

    Returns:
      The mean of what the steps returned, in float32.
    """
    if num_steps == 1:
        return tf.cast(step(batch), tf.float32)
    parts, count = cut(batch, num_steps, every)

    def take(step: Step, index: tf.Tensor) -> tf.Tensor:
        index = index if every == 1 else index % tf.shape(parts)[0]
        return tf.cast(step(parts[index]), tf.float32)

    def rounds(index: tf.Tensor) -> tf.Tensor:
        total = take(step, every * index)
        if between is None or every == 1:
            return total
        # Loops whose lengths are numbers: a GPU need not ask when they end.
        return _sum(
            lambda i: take(between, every * index + 1 + i), every - 1, total
        )

    total = _sum(rounds, count // every, tf.zeros(replicas))
    return total / tf.cast(count, total.dtype)


def cut(
    batch: tf.Tensor, num_steps: int, every: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the parts of a batch, and the number of steps over them.

    A batch of N examples makes K parts of `N // K`; the last `N % K` examples
    are left out. If N < K there are as many steps of one example as `every`
    divides, but `every` at least; step i takes part i, and begins anew after
    the last.

    Args:
      batch: `[N, ...]`.
      num_steps: K.
      every: divides K.
    """
    size = tf.shape(batch)[0]
    count = every * tf.maximum(1, tf.minimum(num_steps, size) // every)
    num_parts = tf.minimum(count, size)
    part = size // num_parts
    # An axis of steps: slices of a moving length would make every shape in
    # the loop dynamic, which XLA pads to the size of the whole batch.
    shape = tf.concat([[num_parts, part], tf.shape(batch)[1:]], 0)
    return tf.reshape(batch[: num_parts * part], shape), count


def _sum(
    term: Callable[[tf.Tensor], tf.Tensor], number: Any, total: tf.Tensor
) -> tf.Tensor:
    """Returns `total` and the terms from 0 on, made one after another."""
    return tf.while_loop(
        lambda index, _: index < number,
        lambda index, total: (index + 1, total + term(index)),
        (tf.constant(0), total),
        parallel_iterations=1,
    )[1]


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
