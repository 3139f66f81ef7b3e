"""Keras' Adam for several runs at once, each with its own learning rate."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class _Rates(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rates of R replicas, `[R]`, as a schedule.

    Args:
      rates: numbers or schedules.
    """

    def __init__(self, rates: Sequence[Any]) -> None:
        """See the class."""
        self.rates = list(rates)

    def __call__(self, step: Any) -> tf.Tensor:
        """Returns the learning rates after so many steps."""
        now = [rate(step) if callable(rate) else rate for rate in self.rates]
        return tf.stack([tf.cast(x, tf.float32) for x in now])


class ReplicatedAdam(keras.optimizers.Adam):
    """Adam over variables with a leading axis of replicas.

    It is elementwise, so that only the learning rate has to be told which
    replica an element belongs to.

    Args:
      rates: the learning rate of each replica, numbers or schedules.
      beta_2: see `keras.optimizers.Adam`.

    Examples:
      >>> adam = ReplicatedAdam([0.1, 0.2])
      >>> weights = tf.Variable(tf.zeros([2, 1]))
      >>> adam.build([weights])
      >>> adam.apply([tf.ones([2, 1])], [weights])
      >>> weights.numpy().round(3).tolist()
      [[-0.10000000149011612], [-0.20000000298023224]]
    """

    def __init__(self, rates: Sequence[Any], beta_2: float = 0.999) -> None:
        """See the class."""
        super().__init__(_Rates(rates), beta_2=beta_2)

    def update_step(
        self, gradient: tf.Tensor, variable: Any, learning_rate: tf.Tensor
    ) -> None:
        """See `keras.optimizers.Optimizer.update_step`."""
        ones = [1] * (len(variable.shape) - 1)
        rates = tf.reshape(learning_rate, [-1, *ones])
        super().update_step(gradient, variable, rates)
