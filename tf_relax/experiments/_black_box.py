"""A black box: a NumPy function of bits that no tape sees into."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_relax import distributions

_NUM_JOBS = 12
_NUM_EXAMPLES = 8


class BlackBox(NamedTuple):
    """`E[f(b)]`, f in NumPy."""

    f: Callable[[tf.Tensor], tf.Tensor]  # [..., 12] -> [...], in hours.
    distribution: distributions.Bernoulli  # Batch shape [8, 12].


def makespan(seed: int) -> BlackBox:
    """Returns the makespan of 12 jobs, each put on one of two machines.

        f(b) = max(sum_i b_i hours_i, sum_i (1 - b_i) hours_i)

    The hours are exponential with mean 1, and the eight rows of logits are
    standard normal. There are 4,096 outcomes, so that the exact gradient is
    known.

    Args:
      seed: of hours and logits.
    """
    rng = np.random.default_rng(seed)
    hours = rng.exponential(size=_NUM_JOBS).astype(np.float32)
    logits = rng.normal(size=[_NUM_EXAMPLES, _NUM_JOBS]).astype(np.float32)

    def on_the_busier(b: np.ndarray) -> np.ndarray:
        load = b @ hours
        return np.maximum(load, hours.sum() - load)

    def f(b: tf.Tensor) -> tf.Tensor:
        value = tf.numpy_function(on_the_busier, [b], b.dtype)
        return tf.ensure_shape(value, b.shape[:-1])

    return BlackBox(f, distributions.Bernoulli(logits=tf.constant(logits)))
