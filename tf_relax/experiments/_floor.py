"""The least time that a step can take: its matrix products and its Adam.

The operations are those of the compiled program, so that work which XLA finds
twice, or finds useless, counts as it runs. Everything else (random numbers,
likelihoods, launches) is what lies between the floor and the measured time.
"""

from collections.abc import Callable
import functools
import math
import re
import time

import tensorflow as tf

# Adam reads a weight, its gradient and two moments, and writes three of them.
ADAM_BYTES = 28
# Two arrays of twice its length take the memory of the four.
STREAM = 2

_SHAPE = re.compile(r"%([\w.\-]+) = \(?\w+\[([\d,]*)\]")
_PRODUCT = re.compile(
    r"%([\w.\-]+) = (?:\([^)]*\)|\S+) (?:dot|custom-call)\(%([\w.\-]+), .*"
    r'lhs_contracting_dim(?:ension)?s"?[:=][\[{]([\d",]*)[\]}]'
)
_FLOATS = 1 << 25  # That a measurement of the bandwidth passes over.
_PRODUCTS = 8  # That a measurement of their rate makes.


def matrix_operations(hlo: str) -> int:
    """Returns the multiplications and additions of the matrix products.

    Args:
      hlo: text of an XLA program. What stands in a loop is counted once.
    """
    shapes = {name: _integers(dims) for name, dims in _SHAPE.findall(hlo)}
    return sum(
        2
        * math.prod(shapes[out])
        * math.prod(shapes[left][axis] for axis in _integers(contracted))
        for out, left, contracted in _PRODUCT.findall(hlo)
    )


@functools.cache
def matrix_product_rate(size: int = 2048) -> float:
    """Returns 1e9 operations a second of a float32 matrix product."""
    x, y = tf.unstack(tf.random.stateless_normal([2, size, size], [0, 0]))
    y /= size**0.5  # Products of products stay as large as x.
    seconds = _seconds(lambda x: tf.matmul(x, y), x, _PRODUCTS)
    return 2e-9 * size**3 * _PRODUCTS / seconds


@functools.cache
def bandwidth(num_floats: int) -> float:
    """Returns 1e9 bytes a second of `x = x / 2 + y`, two read, one written.

    Args:
      num_floats: length of x and of y. Small ones stay in the caches.
    """
    y = tf.ones([num_floats])
    iterations = max(2, _FLOATS // num_floats)
    seconds = _seconds(lambda x: 0.5 * x + y, y, iterations)
    return 12e-9 * num_floats * iterations / seconds


def _seconds(
    function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, iterations: int
) -> float:
    """Returns the least seconds of `x = function(x)`, repeated."""

    @tf.function(jit_compile=True)
    def repeat(x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(
            lambda index, _: index < iterations,
            lambda index, x: (index + 1, function(x)),
            (tf.constant(0), x),
        )[1]

    def run() -> float:
        begin = time.perf_counter()
        repeat(x)[0].numpy()  # Waits for the device.
        return time.perf_counter() - begin

    run()  # Compiles.
    return min(run() for _ in range(5))


def floor_ms(operations: float, num_weights: float, rate: float) -> float:
    """Returns the least milliseconds of a step, by what this machine measures.

    Args:
      operations: of matrix products.
      num_weights: that Adam trains.
      rate: 1e9 bytes a second of Adam: of the memory's part that its arrays
        fit in, or of main memory.
    """
    products = operations / matrix_product_rate()
    return 1e-6 * (products + ADAM_BYTES * num_weights / rate)


def _integers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
