"""Two Keras optimizers in one step: loss scales, averages, what is refused."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
from typing import Any, NamedTuple

import keras
import tensorflow as tf


class Update(NamedTuple):
    """What one optimizer does in a step."""

    optimizer: Any
    gradients: Sequence[Any]  # Of the scaled loss; None where it has no part.
    variables: Sequence[Any]


def of_control_variates(given: Any, optimizer: Any) -> Any:
    """Returns the optimizer of what the estimators learn.

    Args:
      given: what `compile` was given; None for Adam with the learning rate of
        the model's optimizer.
      optimizer: the model's, as Keras has it. If that scales the loss against
        underflow in float16, so does this one.
    """
    if given is None:
        rate = float(tf.convert_to_tensor(optimizer.learning_rate))
        given = keras.optimizers.Adam(rate)
    own = keras.optimizers.get(given)
    if _scales_dynamically(optimizer) and not _scales_dynamically(own):
        own = keras.optimizers.LossScaleOptimizer(own)
    return own


def check_optimizers(**optimizers: Any) -> None:
    """Raises a ValueError if an optimizer does what cannot be right here."""
    for name, optimizer in optimizers.items():
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        steps = getattr(inner, "gradient_accumulation_steps", None)
        if steps:
            raise ValueError(
                f"`{name}` must update at each step, from which the draws' "
                "seed is made. Received: gradient_accumulation_steps="
                f"{steps}. Use larger batches, or `num_samples`."
            )


def apply_updates(first: Update, second: Update) -> None:
    """Applies the gradients of one scaled loss by two optimizers.

    A `LossScaleOptimizer` leaves a step out, and halves its scale, where a
    number is not finite. Either hears of the other's numbers, so that both
    leave out the same steps.

    Args:
      first: its optimizer is the one that scaled the loss.
      second: of what the estimators learn.
    """
    scale = first.optimizer.scale_loss(tf.ones([]))  # An update changes it.
    if _scales_dynamically(first.optimizer):
        finite = _all_finite([*first.gradients, *second.gradients])
        spoilt = tf.where(finite, 1.0, float("nan"))
        first = first._replace(gradients=_times(first.gradients, spoilt))
        scale = spoilt * scale
    first.optimizer.apply(first.gradients, first.variables)
    if second.gradients:
        own = second.optimizer.scale_loss(tf.ones([]))
        second = second._replace(
            gradients=_times(second.gradients, own / scale)
        )
    apply_update(second)


def apply_update(update: Update) -> None:
    """Applies gradients; without any, the step is counted all the same."""
    if update.gradients:
        update.optimizer.apply(update.gradients, update.variables)
    else:  # A moving average learns by being used.
        update.optimizer.iterations.assign_add(1)


@contextlib.contextmanager
def finalized_as(
    optimizer: Any, finalize: Callable[[], None]
) -> Iterator[None]:
    """Lets `fit` end with `finalize` instead of the optimizer's own method.

    Keras gives that method all trainable weights of a model, of which an
    optimizer of some has moving averages of its own only.
    """
    optimizer.finalize_variable_values = lambda _: finalize()
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


def _scales_dynamically(optimizer: Any) -> bool:
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def _all_finite(gradients: Sequence[Any]) -> tf.Tensor:
    found = [tf.math.is_finite(g) for g in gradients if g is not None]
    return tf.reduce_all([tf.reduce_all(x) for x in found])


def _times(gradients: Sequence[Any], factor: tf.Tensor) -> list[Any]:
    return [
        None if g is None else tf.cast(factor, g.dtype) * g for g in gradients
    ]
