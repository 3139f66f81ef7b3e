"""The relaxed f as a control variate, as in REBAR."""

from collections.abc import Callable
import functools
import math
from typing import Any

import keras
import tensorflow as tf

from tf_relax.control_variates._base import ControlVariate
from tf_relax.control_variates._layer_function import LayerFunction

# What NumPy and `if b > 0` raise in graph mode.
_NOT_TRACEABLE = (
    NotImplementedError,
    tf.errors.OperatorNotAllowedInGraphError,
)


class NotDifferentiableError(ValueError):
    """An f was differentiated that TensorFlow does not see into."""


@keras.saving.register_keras_serializable(package="tf_relax")
class RelaxedFunction(ControlVariate):
    """`f(squash(z / lambda))` with a learned temperature `lambda`.

    `squash` is the sigmoid or the softmax, by the distribution. `f` must be
    TensorFlow, continuous and differentiable between the hard samples. In a
    chain of layers, those above the relaxed one are relaxed with the same
    temperature; those below stay hard.

    Args:
      temperature: `lambda` at the start, > 0. Its logarithm is the variable.

    Raises:
      ValueError: if `temperature` is not positive.

    References:
      [1]: Tucker et al. REBAR. NeurIPS 2017. https://arxiv.org/abs/1703.07370

    Examples:
      >>> c = RelaxedFunction(temperature=0.5)
      >>> z = tf.constant([[0.0, 0.0]])
      >>> f = lambda b: tf.reduce_sum(b, -1)
      >>> float(c(z, f=f, squash=tf.sigmoid)[0])
      1.0
    """

    def __init__(self, temperature: float = 0.5, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        check_temperature(temperature)
        self.temperature = temperature
        self.log_temperature = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(math.log(temperature)),
            name="log_temperature",
        )
        self.built = True

    def call(
        self,
        z: tf.Tensor,
        f: Callable[[tf.Tensor], tf.Tensor] | None = None,
        squash: Callable[[tf.Tensor], tf.Tensor] | None = None,
        context: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See `ControlVariate`."""
        del context
        if f is None or squash is None:
            raise ValueError(
                "`RelaxedFunction` needs f and a discrete distribution with a "
                f"relaxation. Received: f={f}, squash={squash}."
            )
        inverse = self.inverse_temperature(z.dtype)
        if isinstance(f, LayerFunction):
            f = functools.partial(f.relaxed, inverse_temperature=inverse)
        return tf.cast(relaxed_value(f, squash(z * inverse)), z.dtype)

    def inverse_temperature(self, dtype: tf.DType) -> tf.Tensor:
        """Returns `1 / lambda` as it is now. Scalar."""
        return tf.exp(-tf.cast(self.log_temperature, dtype))

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        return {**super().get_config(), "temperature": self.temperature}


def relaxed_value(
    f: Callable[[tf.Tensor], tf.Tensor], relaxed: tf.Tensor
) -> tf.Tensor:
    """Returns f between the hard samples. See `differentiable_value`."""
    return differentiable_value(f, relaxed, "REBAR (`RelaxedFunction`)")


def differentiable_value(
    f: Callable[[tf.Tensor], tf.Tensor], point: tf.Tensor, user: str
) -> tf.Tensor:
    """Returns f.

    Args:
      f: what must be differentiable.
      point: where.
      user: what needs it, for the error.

    Raises:
      NotDifferentiableError: if TensorFlow cannot trace or differentiate f.
        The estimate would be biased in silence.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        try:
            value = tf.convert_to_tensor(f(point))
        except _NOT_TRACEABLE as error:
            raise NotDifferentiableError(
                f"{user} needs an f that TensorFlow can trace. Received: f "
                f"that raises {type(error).__name__}. If it branches in Python "
                "on a tensor, use `tf.cond`, or pass `tf.function(f)`. Use "
                "RELAX with a control_variates.Network for a black box."
            ) from error
    # In graph mode this second derivative is pruned.
    if tape.gradient(value, point) is None:
        raise NotDifferentiableError(
            f"{user} needs an f that TensorFlow can "
            "differentiate. Received: f whose value has no gradient by b, or "
            "that leaves out the b of one layer. Use RELAX with a "
            "control_variates.Network for a black box."
        )
    return value


def check_temperature(temperature: float) -> None:
    """Raises a ValueError if a temperature is no positive, finite number."""
    try:
        valid = 0.0 < temperature < math.inf
    except TypeError:
        valid = False
    if not valid:
        raise ValueError(
            "`temperature` must be a positive, finite number. Received: "
            f"temperature={temperature!r}."
        )
