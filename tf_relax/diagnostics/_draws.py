"""Many draws of a batch's gradient, kept as means of blocks."""

from collections.abc import Callable
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax.diagnostics._case import Case
from tf_relax.relaxations import fold_seed

# Means that the test of bias has, half of them for its direction.
_LEAST_BLOCKS, _MOST_BLOCKS = 4, 40


@dataclasses.dataclass(frozen=True)
class Draws:
    """Independent draws of the gradients of N examples by P parameters.

    Attributes:
      means: of M blocks of draws, `[M, N, P]`, float64.
      variances: half the squared norm of the difference of two draws, of each
        pair and example, `[pairs, N]`. Their mean is the variance.
    """

    means: np.ndarray
    variances: np.ndarray

    @property
    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first half of the blocks and the second, flat."""
        flat = self.means.reshape(len(self.means), -1)
        return flat[: len(flat) // 2], flat[len(flat) // 2 :]


def meter(
    case: Case, num_draws: int, jit_compile: bool
) -> Callable[[Any], Draws]:
    """Returns a function `seed -> Draws`, compiled once.

    It reads what the estimators have learned as it is then, and changes none
    of it.

    Args:
      case: what is drawn.
      num_draws: of each example's gradient, 8 at least; beyond 80, rounded
        up to whole blocks.
      jit_compile: False if f is not TensorFlow.
    """
    num_blocks = min(_MOST_BLOCKS, max(_LEAST_BLOCKS, -(-num_draws // 2)))
    num_pairs = max(1, -(-num_draws // (2 * num_blocks)))
    repeats = 1
    if case.is_exact:  # One block is as good as many.
        num_blocks, repeats, num_pairs = 1, num_blocks, 1
    examples = case.examples((0, 0))  # Eagerly: it builds what is not built.
    num_examples = int(tf.size(examples.value))
    one = tf.zeros_like(examples.gradients(num_examples))

    @tf.function(jit_compile=jit_compile, autograph=False)
    def block(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # A draw an iteration, not a pair: f is traced and compiled once.
        def body(
            number: tf.Tensor, total: tf.Tensor, last: tf.Tensor, found: Any
        ) -> Any:
            drawn = case.examples(fold_seed(seed, number))
            gradient = tf.ensure_shape(
                drawn.gradients(num_examples), last.shape
            )
            half = 0.5 * tf.reduce_sum(tf.square(gradient - last), -1)
            found = found.write(number, half)
            return number + 1, total + gradient, gradient, found

        found = tf.TensorArray(
            one.dtype, 2 * num_pairs, element_shape=one.shape[:1]
        )
        _, total, _, found = tf.while_loop(
            lambda number, *_: number < 2 * num_pairs,
            body,
            (tf.constant(0), one, one, found),
        )
        # Every second is of a pair; the others are of two pairs.
        return total / (2 * num_pairs), found.stack()[1::2]

    def run(seed: Any) -> Draws:
        blocks = [block(fold_seed(seed, i)) for i in range(num_blocks)]
        blocks *= repeats
        return Draws(
            np.stack([mean.numpy() for mean, _ in blocks]).astype(np.float64),
            np.concatenate([x.numpy() for _, x in blocks]).astype(np.float64),
        )

    return run
