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
    num_examples = int(tf.size(case.examples((0, 0)).value))

    @tf.function(jit_compile=jit_compile, autograph=False)
    def block(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def gradient(number: Any) -> tf.Tensor:
            examples = case.examples(fold_seed(seed, number))
            return examples.gradients(num_examples)

        def body(pair: tf.Tensor, total: tf.Tensor, found: Any) -> Any:
            first, second = gradient(2 * pair), gradient(2 * pair + 1)
            half = 0.5 * tf.reduce_sum(tf.square(first - second), -1)
            return pair + 1, total + first + second, found.write(pair, half)

        one = gradient(0)  # Its shape and dtype; XLA leaves the rest out.
        found = tf.TensorArray(
            one.dtype, num_pairs, element_shape=one.shape[:1]
        )
        _, total, found = tf.while_loop(
            lambda pair, *_: pair < num_pairs,
            body,
            (tf.constant(0), tf.zeros_like(one), found),
        )
        return total / (2 * num_pairs), found.stack()

    def run(seed: Any) -> Draws:
        blocks = [block(fold_seed(seed, i)) for i in range(num_blocks)]
        return Draws(
            np.stack([mean.numpy() for mean, _ in blocks]).astype(np.float64),
            np.concatenate([x.numpy() for _, x in blocks]).astype(np.float64),
        )

    return run
