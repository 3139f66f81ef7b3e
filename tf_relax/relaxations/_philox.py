"""TensorFlow's stateless numbers as a formula of their key.

TensorFlow draws by an operation that takes one seed. `tf.vectorized_map` makes
it a loop over the seeds, which on a GPU launches kernels for each of them. The
same numbers by elementwise operations are one kernel for all seeds.

The generator is Philox-4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror and
D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from collections.abc import Iterator
import contextlib
import contextvars

import tensorflow as tf

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10

_AS_FORMULA: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "as_formula", default=False
)


@contextlib.contextmanager
def formula() -> Iterator[None]:
    """Lets a vectorized map that XLA compiles draw by this module's formula."""
    token = _AS_FORMULA.set(True)
    try:
        yield
    finally:
        _AS_FORMULA.reset(token)


def is_formula() -> bool:
    """Returns whether draws are to be made by this module's formula."""
    return _AS_FORMULA.get()


def words(
    key: tf.Tensor, shape: tf.Tensor, dtype: tf.DType, counter: tf.Tensor
) -> tf.Tensor:
    """Returns what `tf.raw_ops.StatelessRandomUniformFullIntV2` does.

    Args:
      key: uint64, scalar.
      shape: of the words.
      dtype: uint32 or uint64.
      counter: uint64, `[2]`: the lower 64 bits, below `2**63`, and the upper.
    """
    num = tf.reduce_prod(tf.convert_to_tensor(shape, tf.int32))
    parts = dtype.size // 4  # Words of 32 bits in one of these.
    low = counter[0] + tf.cast(tf.range((parts * num + 3) // 4), tf.uint64)
    high = tf.zeros_like(low) + counter[1]
    block = _rounds([*_halves(low), *_halves(high)], key)
    found = tf.reshape(tf.stack(block, -1), [-1, parts])[:num]
    whole = found[:, 0]
    if parts == 2:
        whole |= _shifted(found[:, 1], 32)
    return tf.reshape(tf.cast(whole, dtype), shape)


def _rounds(words: list[tf.Tensor], key: tf.Tensor) -> list[tf.Tensor]:
    """Returns what four words become; words are uint64 below `2**32`."""
    keys = list(_halves(key))
    factors = [tf.constant(x, tf.uint64) for x in _MULTIPLIERS]
    for _ in range(_ROUNDS):
        a, b, c, d = words
        (low_0, high_0), (low_1, high_1) = (
            _halves(a * factors[0]),
            _halves(c * factors[1]),
        )
        words = [high_1 ^ b ^ keys[0], low_1, high_0 ^ d ^ keys[1], low_0]
        keys = [
            _halves(own + tf.constant(weyl, tf.uint64))[0]
            for own, weyl in zip(keys, _WEYL, strict=True)
        ]
    return words


def _halves(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the lower and the upper 32 bits of uint64."""
    low = x & tf.constant(0xFFFFFFFF, tf.uint64)
    return low, tf.bitwise.right_shift(x, tf.constant(32, tf.uint64))


def _shifted(x: tf.Tensor, bits: int) -> tf.Tensor:
    return tf.bitwise.left_shift(x, tf.constant(bits, tf.uint64))
