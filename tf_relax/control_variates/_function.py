"""f itself as a control variate, where it is differentiable."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tf_relax.control_variates._base import ControlVariate
from tf_relax.control_variates._relaxed import differentiable_value


@keras.saving.register_keras_serializable(package="tf_relax")
class Function(ControlVariate):
    """`c(b) = f(b)`, for estimators that ask for `c` at hard samples.

    `f` must be differentiable TensorFlow. In a chain of layers, those above
    have their means.

    Examples:
      >>> c = Function()
      >>> b = tf.constant([[0.0, 1.0]])
      >>> float(c(b, f=lambda b: tf.reduce_sum(b, -1))[0])
      1.0
    """

    def __init__(self, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.built = True

    def call(
        self,
        z: tf.Tensor,
        f: Callable[[tf.Tensor], tf.Tensor] | None = None,
        squash: Callable[[tf.Tensor], tf.Tensor] | None = None,
        context: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See `ControlVariate`."""
        del squash, context
        if f is None:
            raise ValueError("`Function` needs f. Received: f=None.")
        user = "MuProp, DoubleCV and the like (`Function`)"
        return tf.cast(differentiable_value(f, z, user), z.dtype)
