"""The stateless numbers of XLA's programs as a formula of their seed.

TensorFlow draws by an operation that takes one seed. `tf.vectorized_map` makes
it a loop over the seeds, which on a GPU launches kernels for each of them. The
same numbers by elementwise operations are one kernel for all seeds.

XLA's numbers are not those of TensorFlow's kernels: it heeds the lower 32 bits
of a seed's two integers, and makes a float of a word's upper bits, the kernels
of its lower ones.

The generator is Philox-4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror and
D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from collections.abc import Iterator, Sequence
import contextlib
import contextvars

import tensorflow as tf

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
# By which TensorFlow makes a key of a seed.
_KEY_OF_KEYS = 0x02461E293EC8F720
_MANTISSA_BITS = {tf.float32: 23, tf.float64: 52}

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


def key_and_counter(seed: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Returns what `tf.raw_ops.StatelessRandomGetKeyCounter` makes of a seed.

    Args:
      seed: two integers.

    Returns:
      The key, uint64, and the upper words of the counter, whose others are 0.
    """
    low, _ = _halves(tf.cast(tf.cast(seed, tf.int64), tf.uint64))
    first, second = tf.unstack(low)
    zero = tf.zeros_like(first)
    words = [first, zero, second, zero]
    words = _rounds(words, tf.constant(_KEY_OF_KEYS, tf.uint64))
    return words[0] | _shifted(words[1], 32), words[2:]


def uniform(key: tf.Tensor, shape: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns multiples of a step of the mantissa from [0, 1).

    They are those of `tf.raw_ops.StatelessRandomUniformV2` from counter 0.

    Args:
      key: uint64, scalar.
      shape: of the numbers, a tensor.
      dtype: float32 or float64.
    """
    kept = _MANTISSA_BITS[dtype]
    if dtype == tf.float32:
        bits, drawn = _words(key, tf.reduce_prod(shape)), 32
    else:
        low, high = _pairs(key, tf.reduce_prod(shape))
        bits, drawn = low | _shifted(high, 32), 64
    bits = tf.bitwise.right_shift(bits, tf.cast(drawn - kept, tf.uint64))
    # Signed: both kinds of processor turn those into floats by themselves.
    bits = tf.cast(tf.cast(bits, tf.int64), dtype)
    return tf.reshape(2.0**-kept * bits, shape)


def integers(seed: tf.Tensor, num: int, dtype: tf.DType) -> tf.Tensor:
    """Returns `num` numbers of all that int32 or int64 has.

    They are those of `tf.random.stateless_uniform` without bounds.
    """
    key, upper = key_and_counter(seed)
    if dtype == tf.int32:
        return tf.cast(_words(key, tf.constant(num), upper), dtype)
    low, high = _pairs(key, tf.constant(num), upper)
    return tf.cast(low | _shifted(high, 32), dtype)


def _pairs(
    key: tf.Tensor, num: tf.Tensor, upper: Sequence[tf.Tensor] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    pairs = tf.reshape(_words(key, 2 * num, upper), [-1, 2])
    return pairs[:, 0], pairs[:, 1]


def _words(
    key: tf.Tensor, num: tf.Tensor, upper: Sequence[tf.Tensor] | None = None
) -> tf.Tensor:
    """Returns the first `num` words of 32 bits that a key makes, uint64."""
    counter = tf.cast(tf.range((num + 3) // 4), tf.uint64)
    zero = tf.zeros_like(counter)
    high = [zero, zero] if upper is None else [zero + word for word in upper]
    words = tf.stack(_rounds([counter, zero, *high], key), -1)
    return tf.reshape(words, [-1])[:num]


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
