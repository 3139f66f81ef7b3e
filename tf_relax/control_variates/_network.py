"""A free network as a control variate: f may be a black box."""

from collections.abc import Callable, Sequence
import math
from typing import Any

import keras
import tensorflow as tf

from tf_relax._shapes import known_sizes
from tf_relax._shapes import whole_sizes
from tf_relax.control_variates._base import ControlVariate


@keras.saving.register_keras_serializable(package="tf_relax")
class Network(ControlVariate):
    """A multilayer perceptron of z and, if there is one, the context.

    The kernel of the first layer is kept in two parts, one for z and one for
    the context: mathematically a layer on their concatenation, but the
    derivative by z then never touches the context's part.

    Args:
      hidden: widths of the hidden layers.
      activation: of the hidden layers, a name that Keras knows.
      event_ndims: how many trailing axes of z it reads; `[..., E...] -> [...]`.
      temperature: None, or the temperature at the start of a learned squash:
        the network then reads `2 * squash(z / lambda) - 1` in place of z.
      weight_decay: w; `w / 2 * ||weights||^2`, biases included, is in
        `losses`, for whoever trains it to add to the variance objective.
      seed: of the initial weights.

    Raises:
      ValueError: if `hidden` are no widths.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           https://arxiv.org/abs/1711.00123

    Examples:
      >>> c = Network(hidden=(200, 200))
      >>> c.build((None, 10), (None, 784))
      >>> c(tf.zeros([24, 10]), context=tf.zeros([24, 784])).shape
      TensorShape([24])
    """

    def __init__(
        self,
        hidden: Sequence[int] = (200, 200),
        activation: str = "relu",
        event_ndims: int = 1,
        temperature: float | None = None,
        weight_decay: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.hidden = whole_sizes("hidden", hidden, "(200, 200)")
        self.activation = activation
        self.event_ndims = event_ndims
        self.temperature = temperature
        self.weight_decay = weight_decay
        self.seed = seed
        self.log_temperature = None
        if temperature is not None:
            self.log_temperature = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(math.log(temperature)),
                name="log_temperature",
            )

    def build(
        self, z_shape: Sequence[int], context_shape: Sequence[int] | None = None
    ) -> None:
        """Makes the weights.

        Args:
          z_shape: `[..., E...]`.
          context_shape: `[..., C]`, or None.
        """
        event = math.prod(
            known_sizes(z_shape[len(z_shape) - self.event_ndims :], "`Network`")
        )
        context_shape = (0,) if context_shape is None else context_shape
        [context] = known_sizes(context_shape[-1:], "`Network` (context)")
        widths = [event + context, *self.hidden, 1]
        first = (event, widths[1])
        self.kernel_z = self._kernel("kernel_z", widths[0], first)
        self.kernel_context = None
        if context:
            self.kernel_context = self._kernel(
                "kernel_context", widths[0], (context, widths[1])
            )
        self.kernels = [
            self._kernel(f"kernel_{i}", widths[i], (widths[i], widths[i + 1]))
            for i in range(1, len(widths) - 1)
        ]
        self.biases = [
            self.add_weight(
                shape=(width,),
                initializer="zeros",
                regularizer=self._regularizer(),
                name=f"bias_{i}",
            )
            for i, width in enumerate(widths[1:])
        ]
        self.built = True

    def call(
        self,
        z: tf.Tensor,
        f: Callable[[tf.Tensor], tf.Tensor] | None = None,
        squash: Callable[[tf.Tensor], tf.Tensor] | None = None,
        context: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See `ControlVariate`."""
        del f
        if self.log_temperature is not None and squash is not None:
            inverse = tf.exp(-tf.cast(self.log_temperature, z.dtype))
            z = 2.0 * squash(z * inverse) - 1.0
        if self.event_ndims != 1:
            leading = tf.shape(z)[: z.shape.rank - self.event_ndims]
            z = tf.reshape(z, tf.concat([leading, [-1]], 0))
        x = _matmul(z, self.kernel_z) + tf.cast(self.biases[0], z.dtype)
        if self.kernel_context is not None:
            x += _matmul(tf.cast(context, z.dtype), self.kernel_context)
        activation = keras.activations.get(self.activation)
        for kernel, bias in zip(self.kernels, self.biases[1:], strict=True):
            x = _matmul(activation(x), kernel) + tf.cast(bias, z.dtype)
        return tf.squeeze(x, -1)

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        return {
            **super().get_config(),
            "hidden": self.hidden,
            "activation": self.activation,
            "event_ndims": self.event_ndims,
            "temperature": self.temperature,
            "weight_decay": self.weight_decay,
            "seed": self.seed,
        }

    def _kernel(self, name: str, fan_in: int, shape: tuple[int, int]) -> Any:
        # Glorot's range for the whole layer, of which this may be a part.
        limit = math.sqrt(6.0 / (fan_in + shape[1]))
        seed = 1_000_003 * self.seed + len(self.weights)
        return self.add_weight(
            shape=shape,
            initializer=keras.initializers.RandomUniform(-limit, limit, seed),
            regularizer=self._regularizer(),
            name=name,
        )

    def _regularizer(self) -> keras.Regularizer | None:
        if not self.weight_decay:
            return None
        return keras.regularizers.L2(0.5 * self.weight_decay)


def _matmul(x: tf.Tensor, kernel: Any) -> tf.Tensor:
    # One flat product, where a batched matmul would broadcast the kernel.
    return tf.tensordot(x, tf.cast(kernel, x.dtype), 1)
