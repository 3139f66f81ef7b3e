"""Seeds and uniforms. Nothing here touches global random state."""

from collections.abc import Iterator
import contextlib
import contextvars
from typing import Any

import tensorflow as tf

# Which rows of a whole batch's noise are wanted: (start, rows of the batch).
_ROWS: contextvars.ContextVar[tuple[Any, Any] | None] = contextvars.ContextVar(
    "rows", default=None
)


def open_uniform(
    seed: tf.Tensor, shape: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """Returns uniforms from the open interval (0, 1), by a stateless `seed`.

    TensorFlow draws multiples of `2**-23` (float32) or `2**-52` (float64) from
    [0, 1). Half a step is added: the grid is then symmetric, and neither
    `log(u)` nor `log1p(-u)` is ever infinite.

    Args:
      seed: integers of shape `[2]`.
      shape: of the draws.
      dtype: float32 or float64.
    """
    half_step = {tf.float32: 2.0**-24, tf.float64: 2.0**-53}[dtype]
    rows = _ROWS.get()
    if rows is None:
        return half_step + tf.random.stateless_uniform(shape, seed, dtype=dtype)
    start, total = rows
    whole = tf.concat([shape[:-2], [total], shape[-1:]], 0)
    u = tf.random.stateless_uniform(whole, seed, dtype=dtype)
    return half_step + u[..., start : start + shape[-2], :]


@contextlib.contextmanager
def rows_of_batch(start: Any, total: Any) -> Iterator[None]:
    """Lets `open_uniform` draw the rows that a part of a batch has.

    The noise of the whole batch is drawn, `[..., total, D]`, and a part of it
    taken: by the same seed, the parts have the numbers of the batch. In the
    context every draw must have examples and units as its last axes.

    Args:
      start: the part's first row.
      total: rows of the batch.
    """
    token = _ROWS.set((start, total))
    try:
        yield
    finally:
        _ROWS.reset(token)


def split_seed(seed: tf.Tensor, num: int) -> list[tf.Tensor]:
    """Returns `num` independent seeds of shape `[2]`.

    Raises:
      ValueError: if `seed` is not two integers.
    """
    return tf.unstack(
        tf.random.experimental.stateless_split(validate_seed(seed), num)
    )


def validate_seed(seed: tf.Tensor) -> tf.Tensor:
    """Returns `seed` as an int64 tensor of shape `[2]`.

    TensorFlow draws other numbers for the same seed of another dtype.

    Raises:
      ValueError: if it is anything else.
    """
    advice = (
        "`seed` must be a stateless TensorFlow seed: two integers, such as "
        f"(run_seed, step). Received: seed={seed!r}"
    )
    if seed is None:
        raise ValueError(advice)
    if isinstance(seed, list | tuple):
        # Of numbers, tensors, and variables of TensorFlow or Keras.
        seed = [tf.convert_to_tensor(part) for part in seed]
        if not all(part.dtype.is_integer for part in seed):
            raise ValueError(advice)
        seed = [tf.cast(part, tf.int64) for part in seed]
    tensor = tf.convert_to_tensor(seed)
    if not tensor.dtype.is_integer or tensor.shape.as_list() not in (
        [2],
        [None],
    ):
        raise ValueError(advice)
    return tf.cast(tensor, tf.int64)


def fold_seed(seed: Any, salt: Any) -> tf.Tensor:
    """Returns another stateless seed, made of a seed and an integer."""
    return tf.random.experimental.stateless_fold_in(seed, salt)
