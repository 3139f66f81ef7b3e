"""Keras' optimizers for several runs at once, each with its own rate."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

# What may differ between the optimizers of replicas.
_OWN = ("name", "learning_rate")
# What none may do: it looks at whole variables, or it is not in the step.
_REFUSED = (
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "use_ema",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


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


class _ByReplica:
    """Tells an optimizer, for each element, the rate of its replica."""

    def update_step(
        self, gradient: tf.Tensor, variable: Any, learning_rate: tf.Tensor
    ) -> None:
        """See `keras.optimizers.Optimizer.update_step`."""
        ones = [1] * (len(variable.shape) - 1)
        rates = tf.reshape(learning_rate, [-1, *ones])
        super().update_step(gradient, variable, rates)  # type: ignore[misc]


class _Adam(_ByReplica, keras.optimizers.Adam):
    """Adam of replicas."""


class _SGD(_ByReplica, keras.optimizers.SGD):
    """SGD of replicas."""


_KINDS = {keras.optimizers.Adam: _Adam, keras.optimizers.SGD: _SGD}


def replicated(optimizers: Sequence[Any]) -> Any:
    """Returns an optimizer of variables with a leading axis of replicas.

    It does to each replica's part what that one's own optimizer does. Adam and
    SGD are elementwise, so that only the learning rate has to be told which
    replica an element belongs to.

    Args:
      optimizers: of the replicas, not built: of Keras' Adam or SGD, alike but
        for their learning rates or schedules.

    Raises:
      ValueError: if they are of another kind, not alike, or do what cannot be
        done element by element.

    Examples:
      >>> sgd = replicated([keras.optimizers.SGD(rate) for rate in (1.0, 2.0)])
      >>> weights = tf.Variable(tf.zeros([2, 1]))
      >>> sgd.build([weights])
      >>> sgd.apply([tf.ones([2, 1])], [weights])
      >>> weights.numpy().tolist()
      [[-1.0], [-2.0]]
    """
    kinds = list(dict.fromkeys(type(optimizer) for optimizer in optimizers))
    if len(kinds) > 1 or kinds[0] not in _KINDS:
        raise ValueError(
            "The optimizers of replicas must be all of "
            f"{' or all of '.join(kind.__name__ for kind in _KINDS)}. "
            f"Received: {', '.join(kind.__name__ for kind in kinds)}."
        )
    if any(optimizer.built for optimizer in optimizers):
        raise ValueError(
            "The optimizers of replicas must be new: what they have learned is "
            "not taken over. Received: one that has been built."
        )
    rates = _Rates([_rate(optimizer) for optimizer in optimizers])
    configs = [optimizer.get_config() for optimizer in optimizers]
    for name in configs[0]:
        values = [config.get(name) for config in configs]
        if name in _REFUSED and any(values):
            raise ValueError(
                f"The optimizers of replicas cannot have `{name}`: they take "
                "steps of Adam or SGD, element by element. Received: "
                f"{name}={next(filter(None, values))}. Leave it out."
            )
        if name not in _OWN and any(value != values[0] for value in values):
            raise ValueError(
                "The optimizers of replicas must be alike but for their "
                f"learning rates. Received: {name}={values}."
            )
    return _KINDS[kinds[0]](**configs[0] | {"learning_rate": rates})


def _rate(optimizer: Any) -> Any:
    """Returns an optimizer's learning rate or schedule."""
    rate = optimizer._learning_rate  # `learning_rate` is its value now.
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return rate
    if callable(rate):
        raise ValueError(
            "The learning rates of replicas must be numbers or schedules of "
            f"Keras. Received: {rate!r}."
        )
    return float(optimizer.learning_rate)
