"""Seeds and uniforms. Nothing here touches global random state."""

from collections.abc import Iterator
import contextlib
import contextvars
from typing import Any

import tensorflow as tf

from tf_relax.relaxations import _philox

_PHILOX = 1  # The algorithm of `tf.random.Algorithm.PHILOX`.

# Which rows of a whole batch's noise are wanted: (start, rows of the batch,
# how many axes an example has).
_ROWS: contextvars.ContextVar[tuple[Any, Any, int] | None] = (
    contextvars.ContextVar("rows", default=None)
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
        return half_step + _uniform(seed, shape, dtype)
    start, total, ndims = rows
    shape = tf.convert_to_tensor(shape)
    rank = shape.shape[0]
    axis = rank - 1 - ndims
    whole = tf.concat([shape[:axis], [total], shape[axis + 1 :]], 0)
    begin = start * tf.one_hot(axis, rank, dtype=tf.int32)
    return half_step + tf.slice(_uniform(seed, whole, dtype), begin, shape)


@contextlib.contextmanager
def rows_of_batch(start: Any, total: Any, ndims: int) -> Iterator[None]:
    """Lets `open_uniform` draw the rows that a part of a batch has.

    The noise of the whole batch is drawn, `[..., total, E...]`, and a part of
    it taken: by the same seed, the parts have the numbers of the batch. In the
    context every draw must have examples and then `ndims` axes as its last.

    Args:
      start: the part's first row.
      total: rows of the batch.
      ndims: how many axes an example has.
    """
    token = _ROWS.set((start, total, ndims))
    try:
        yield
    finally:
        _ROWS.reset(token)


def _uniform(seed: tf.Tensor, shape: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    if _philox.is_formula():
        return _philox.uniform(_philox.key_and_counter(seed)[0], shape, dtype)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    # From zero on: a counter that begins anywhere costs XLA three times the
    # time. Another seed has another key.
    return tf.raw_ops.StatelessRandomUniformV2(
        shape=shape,
        key=key,
        counter=tf.zeros_like(counter),
        alg=_PHILOX,
        dtype=dtype,
    )


def split_seed(seed: tf.Tensor, num: int) -> list[tf.Tensor]:
    """Returns `num` independent seeds of shape `[2]`.

    Raises:
      ValueError: if `seed` is not two integers.
    """
    seed = validate_seed(seed)
    if _philox.is_formula():
        numbers = _philox.integers(seed, 2 * num, seed.dtype)
        return tf.unstack(tf.reshape(numbers, [num, 2]))
    return tf.unstack(tf.random.experimental.stateless_split(seed, num))


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
    """Returns another stateless seed, made of a `seed` and a `salt`."""
    if _philox.is_formula():
        salt = tf.convert_to_tensor(salt)
        number = _philox.integers(seed, 1, salt.dtype)
        return tf.stack([number[0], salt])
    return tf.random.experimental.stateless_fold_in(seed, salt)
