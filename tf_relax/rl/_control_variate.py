"""c(z, s) of several runs: the control variate of a policy gradient."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_relax.control_variates import ControlVariate
from tf_relax.rl._perceptron import Perceptrons


@keras.saving.register_keras_serializable(package="tf_relax")
class ActionValue(ControlVariate):
    """`eta * network(squash(z / lambda), s)`, for each of R runs.

    The action enters as what the released code gives its network: of a
    categorical policy the softmax of the relaxed draw, with a learned
    temperature; of a normal one the action itself. `eta` starts at 0: the
    first estimates are those without a control variate.

    Args:
      size_in: of an observation.
      size_action: of an action.
      hidden: widths of the hidden layers.
      activation: of them.
      relaxed: whether z is a relaxed draw, to be squashed.
      scale: `eta` at the start.
      seeds: one a run.

    Examples:
      >>> c = ActionValue(4, 2, seeds=[0, 1, 2])
      >>> z, s = tf.zeros([3, 7, 2]), tf.zeros([3, 7, 4])
      >>> c(z, squash=tf.nn.softmax, context=s).shape
      TensorShape([3, 7])
    """

    def __init__(
        self,
        size_in: int,
        size_action: int,
        hidden: Sequence[int] = (10, 10),
        activation: str = "relu",
        *,
        relaxed: bool = True,
        scale: float = 0.0,
        seeds: Sequence[int] = (0,),
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.size_in = size_in
        self.relaxed = relaxed
        self.scale = scale
        self.network = Perceptrons(
            size_in + size_action, hidden, 1, activation, seeds=seeds
        )
        runs = (len(self.network.seeds),)
        self.eta = self.add_weight(
            shape=runs,
            initializer=keras.initializers.Constant(scale),
            name="eta",
        )
        self.log_temperature = None
        if relaxed:
            self.log_temperature = self.add_weight(
                shape=runs, initializer="zeros", name="log_temperature"
            )
        self.built = True

    def call(
        self,
        z: tf.Tensor,
        f: Any = None,
        squash: Any = None,
        context: Any = None,
    ) -> tf.Tensor:
        """See `ControlVariate`."""
        del f
        if self.log_temperature is not None:
            inverse = tf.exp(-_as_runs(self.log_temperature, z))
            z = squash(z * inverse)
        x = tf.concat([tf.cast(context, z.dtype), z], -1)
        c = self.network(x)
        return tf.squeeze(_as_runs(self.eta, c) * c, -1)

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        network = self.network
        return {
            **super().get_config(),
            "size_in": self.size_in,
            "size_action": network.size_in - self.size_in,
            "hidden": network.hidden,
            "activation": network.activation,
            "relaxed": self.relaxed,
            "scale": self.scale,
            "seeds": network.seeds,
        }


def _as_runs(weight: Any, like: tf.Tensor) -> tf.Tensor:
    """Returns `[R]` as `[R, 1, ...]`, of the rank of `like`."""
    return tf.reshape(
        tf.cast(weight, like.dtype), [-1, *[1] * (like.shape.rank - 1)]
    )
