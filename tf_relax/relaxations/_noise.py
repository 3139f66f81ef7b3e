"""Seeds and uniforms. Nothing here touches global random state.

The same seed has the same numbers eagerly, in graphs and under XLA. TensorFlow
and XLA agree on the words that Philox makes of a key, but not on the key of a
seed, nor on which bits of a word make a float: both are decided here.
"""

from collections.abc import Iterator
import contextlib
import contextvars
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax.relaxations import _philox

_PHILOX = 1  # The algorithm of `tf.random.Algorithm.PHILOX`.
# The upper half of the counters: what the words are for.
_UNIFORM, _SPLIT, _FOLD = 0, 1, 2
# What the two integers of a seed are multiplied by, and what is above 32 bits.
_PLACES = np.array([1, 2**32])
_MIXERS = np.array([0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9])

# Which rows of a whole batch's noise are wanted: (start, rows of the batch,
# how many axes an example has).
_ROWS: contextvars.ContextVar[tuple[Any, Any, int] | None] = (
    contextvars.ContextVar("rows", default=None)
)


def open_uniform(
    seed: tf.Tensor, shape: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """Returns uniforms from the open interval (0, 1), by a stateless `seed`.

    Multiples of `2**-23` (float32) or `2**-52` (float64) from [0, 1), and half
    a step: the grid is then symmetric, and neither `log(u)` nor `log1p(-u)` is
    ever infinite.

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


def open_normal(
    seed: tf.Tensor, shape: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """Returns standard normals, by the inverse of their distribution function.

    Args:
      seed: integers of shape `[2]`.
      shape: of the draws.
      dtype: float32 or float64.
    """
    return tf.math.ndtri(open_uniform(seed, shape, dtype))


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
    """Returns multiples of a step of the mantissa from [0, 1)."""
    word, integer, kept = {
        tf.float32: (tf.uint32, tf.int32, 23),
        tf.float64: (tf.uint64, tf.int64, 52),
    }[dtype]
    # From zero on: a counter that begins anywhere costs XLA three times the
    # time.
    bits = _words(seed, shape, word, (0, _UNIFORM))
    bits = tf.bitwise.right_shift(bits, tf.cast(8 * word.size - kept, word))
    # Signed: processors turn those into floats by themselves.
    return 2.0**-kept * tf.cast(tf.cast(bits, integer), dtype)


def _words(
    seed: tf.Tensor, shape: tf.Tensor, dtype: tf.DType, counter: tuple[Any, Any]
) -> tf.Tensor:
    """Returns words of a generator that is the seed's own.

    Args:
      seed: two integers.
      shape: of the words.
      dtype: uint32 or uint64.
      counter: where it begins: the lower and the upper 64 bits of 128.
    """
    key = _key(seed)
    counter = tf.stack([tf.cast(x, tf.uint64) for x in counter])
    if _philox.is_formula():
        return _philox.words(key, shape, dtype, counter)
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape,
        key=key[tf.newaxis],
        counter=counter,
        alg=_PHILOX,
        dtype=dtype,
    )


def _key(seed: tf.Tensor) -> tf.Tensor:
    """Returns the key of a seed, uint64, a scalar.

    Two integers of 32 bits are its halves: no two such seeds share one, and
    Philox wants no more of a key. What is larger is mixed in.
    """
    seed = tf.cast(seed, tf.int64)
    # 0 of integers of 32 bits, whose other bits are their sign.
    excess = tf.bitwise.right_shift(seed + 2**31, tf.constant(32, tf.int64))
    low = tf.bitwise.bitwise_and(seed, 2**32 - 1)
    mixed = low * _PLACES + excess * _MIXERS
    return tf.cast(mixed[0] + mixed[1], tf.uint64)


def split_seed(seed: tf.Tensor, num: int) -> list[tf.Tensor]:
    """Returns `num` independent seeds of shape `[2]`.

    Raises:
      ValueError: if `seed` is not two integers.
    """
    words = _words(validate_seed(seed), [num, 2], tf.uint32, (0, _SPLIT))
    return tf.unstack(tf.cast(words, tf.int64))


def validate_seed(seed: tf.Tensor) -> tf.Tensor:
    """Returns `seed` as an int64 tensor of shape `[2]`.

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
    """Returns another stateless seed, made of a `seed` and a `salt`.

    Raises:
      ValueError: if `seed` is not two integers.
    """
    words = _words(validate_seed(seed), [2], tf.uint32, (salt, _FOLD))
    return tf.cast(words, tf.int64)
