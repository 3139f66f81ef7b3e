"""Perceptrons of several runs at once, each with weights of its own."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_relax._shapes import whole_sizes


@keras.saving.register_keras_serializable(package="tf_relax")
class Perceptrons(keras.layers.Layer):
    """R multilayer perceptrons, `[R, ..., I]` to `[R, ..., O]`.

    Weights have a leading axis of runs. A run's initial weights depend on its
    own seed alone; the noise of its episodes is drawn with that of all runs.

    Args:
      size_in: I.
      hidden: widths of the hidden layers.
      size_out: O.
      activation: of the hidden layers, a name that Keras knows.
      seeds: of the initial weights, one a run: orthogonal kernels with gain
        sqrt(2), zero biases.
      last_gain: of the last kernel.

    Examples:
      >>> net = Perceptrons(4, (10, 10), 2, seeds=[0, 1, 2])
      >>> net(tf.zeros([3, 7, 4])).shape
      TensorShape([3, 7, 2])
    """

    def __init__(
        self,
        size_in: int,
        hidden: Sequence[int],
        size_out: int,
        activation: str = "relu",
        *,
        seeds: Sequence[int] = (0,),
        last_gain: float = 1.0,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.size_in = size_in
        self.hidden = whole_sizes("hidden", hidden, "(10, 10)")
        self.size_out = size_out
        self.activation = activation
        self.seeds = tuple(seeds)
        self.last_gain = last_gain
        widths = [size_in, *self.hidden, size_out]
        last = len(widths) - 2
        self.kernels, self.biases = [], []
        for i in range(len(widths) - 1):
            shape = (widths[i], widths[i + 1])
            gain = last_gain if i == last else 2.0**0.5
            kernel = self.add_weight(
                shape=(len(self.seeds), *shape), name=f"kernel_{i}"
            )
            kernel.assign(
                tf.stack([_orthogonal(shape, gain, s, i) for s in self.seeds])
            )
            self.kernels.append(kernel)
            self.biases.append(
                self.add_weight(
                    shape=(len(self.seeds), widths[i + 1]),
                    initializer="zeros",
                    name=f"bias_{i}",
                )
            )
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the outputs, `[R, ..., O]`."""
        shape = tf.shape(x)
        x = tf.reshape(x, [len(self.seeds), -1, self.size_in])
        activation = keras.activations.get(self.activation)
        for i, (kernel, bias) in enumerate(
            zip(self.kernels, self.biases, strict=True)
        ):
            x = activation(x) if i else x
            kernel, bias = (tf.cast(w, x.dtype) for w in (kernel, bias))
            x = tf.matmul(x, kernel) + bias[:, tf.newaxis]
        return tf.reshape(x, tf.concat([shape[:-1], [self.size_out]], 0))

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        return {
            **super().get_config(),
            "size_in": self.size_in,
            "hidden": self.hidden,
            "size_out": self.size_out,
            "activation": self.activation,
            "seeds": self.seeds,
            "last_gain": self.last_gain,
        }


def _orthogonal(
    shape: tuple[int, int], gain: float, seed: int, index: int
) -> tf.Tensor:
    return keras.initializers.Orthogonal(gain, seed=1_000_003 * seed + index)(
        shape
    )
