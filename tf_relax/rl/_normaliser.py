"""Observations of mean 0 and deviation 1, for each run by its own past."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tf_relax")
class Normaliser(keras.layers.Layer):
    """Running mean and variance of what R runs have seen.

    Args:
      num_runs: R.
      size: O, of an observation.
      limit: of what is returned, in deviations.

    Examples:
      >>> normaliser = Normaliser(1, 2)
      >>> seen = tf.constant([[[[0.0, 5.0], [2.0, 9.0]]]])  # [R, N, T, O].
      >>> normaliser.observe(seen, tf.ones([1, 1, 2]))
      >>> normaliser(seen).numpy().round(2).tolist()
      [[[[-1.0, -1.0], [1.0, 1.0]]]]
    """

    def __init__(
        self, num_runs: int, size: int, limit: float = 10.0, **kwargs: Any
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.num_runs = num_runs
        self.size = size
        self.limit = limit
        zeros = {"initializer": "zeros", "trainable": False}
        self.mean = self.add_weight((num_runs, size), name="mean", **zeros)
        # Sum of squared deviations; of as many as `count` says.
        self.squares = self.add_weight(
            (num_runs, size), name="squares", **zeros
        )
        self.count = self.add_weight((num_runs,), name="count", **zeros)
        self.built = True

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        """Returns `[R, ..., O]`, as they are before anything was seen."""
        between = [1] * (observations.shape.rank - 2)
        shape = [self.num_runs, *between, self.size]
        count = tf.convert_to_tensor(self.count)[:, tf.newaxis]
        variance = tf.where(
            count > 1.0, self.squares / tf.maximum(count, 1.0), 1.0
        )
        deviation = tf.sqrt(tf.maximum(variance, 1e-8))
        scaled = (observations - tf.reshape(self.mean, shape)) / tf.reshape(
            deviation, shape
        )
        return tf.clip_by_value(scaled, -self.limit, self.limit)

    def observe(self, observations: tf.Tensor, alive: tf.Tensor) -> None:
        """Takes in what was seen (Chan, Golub, LeVeque 1983).

        Args:
          observations: `[R, N, T, O]`.
          alive: `[R, N, T]`, 1. where it counts.
        """
        weight = alive[..., tf.newaxis]
        n = tf.reduce_sum(alive, [1, 2])[:, tf.newaxis]
        mean = tf.reduce_sum(weight * observations, [1, 2]) / tf.maximum(n, 1.0)
        apart = observations - mean[:, tf.newaxis, tf.newaxis]
        squares = tf.reduce_sum(weight * tf.square(apart), [1, 2])
        before = tf.convert_to_tensor(self.count)[:, tf.newaxis]
        total = before + n
        share = n / tf.maximum(total, 1.0)
        shift = mean - self.mean
        self.squares.assign(
            self.squares + squares + tf.square(shift) * before * share
        )
        self.mean.assign(self.mean + shift * share)
        self.count.assign(total[:, 0])

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        return {
            **super().get_config(),
            "num_runs": self.num_runs,
            "size": self.size,
            "limit": self.limit,
        }
