"""What users may hand to a model, and what they are told otherwise."""

from collections.abc import Mapping, Sequence
import math
from typing import Any

import numpy as np
import tensorflow as tf


def check_compile(
    optimizer: Any,
    control_variate_optimizer: Any,
    *,
    at_least: Mapping[str, tuple[int, int]],
    refused: Mapping[str, Any],
) -> None:
    """Raises a ValueError if `compile` cannot mean what it is given.

    Args:
      optimizer: of the model.
      control_variate_optimizer: of what the estimators learn.
      at_least: numbers and their lower bounds, by name.
      refused: arguments; losses and metrics must not be among them.
    """
    for name in ("loss", "metrics", "weighted_metrics"):
        if refused.get(name) is not None:
            raise ValueError(
                f"`{name}` has no place here: the loss is -ELBO, and the "
                f"metrics are its own. Received: {name}={refused[name]!r}."
            )
    if control_variate_optimizer is optimizer and not isinstance(
        optimizer, str
    ):
        raise ValueError(
            "`control_variate_optimizer` must be another object than "
            "`optimizer`: each keeps the state of its own variables. "
            f"Received: {optimizer} for both."
        )
    for name, (number, lowest) in at_least.items():
        if number < lowest:
            raise ValueError(
                f"`{name}` must be at least {lowest}. Received: "
                f"{name}={number}."
            )


def check_scope(strategy: Any) -> None:
    """Raises a ValueError unless this is the scope of a model's strategy.

    Args:
      strategy: in whose scope the model was made; None without one.
    """
    here = (
        tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    )
    if here is not strategy:
        raise ValueError(
            "A model, its optimizers and `compile` belong in the scope of one "
            f"strategy. Received: a model of {_name(strategy)}, compiled in "
            f"{_name(here)}."
        )


def _name(strategy: Any) -> str:
    return "no scope" if strategy is None else type(strategy).__name__


def check_order(num_processes: int, shuffle: Any) -> None:
    """Raises a ValueError if processes would shuffle images differently."""
    if num_processes > 1 and shuffle:
        raise ValueError(
            f"All {num_processes} processes must read the same batches: give "
            "`fit` shuffle=False, and images in the wanted order, such as "
            f"`tf_relax.datasets.Batches`. Received: shuffle={shuffle}."
        )


def check_alike(models: Sequence[Any], **lists: Sequence[Any]) -> None:
    """Raises a ValueError if models cannot be replicas of each other.

    Args:
      models: of the replicas.
      **lists: what must be given once for each.
    """
    if not models:
        raise ValueError("There must be a model at least. Received: none.")
    for name, values in lists.items():
        if len(values) != len(models):
            raise ValueError(
                f"`{name}` must have one entry a model. Received: "
                f"{len(values)} for {len(models)} models."
            )
    kinds = [_kind(model) for model in models]
    for index, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise ValueError(
                "The models must be alike but for weights and seeds: the same "
                "architecture, estimators and number of samples. Received: "
                f"model 0 with {kinds[0]}, model {index} with {kind}."
            )


def _kind(model: Any) -> dict[str, Any]:
    return {
        "estimators": [type(e).__name__ for e in model.estimators],
        "num_samples": model.num_samples,
        "shapes": [tuple(v.shape) for v in model.weights],
    }


def check_range(name: str, x: Any) -> None:
    """Raises a ValueError if an array is not in [0, 1]."""
    if isinstance(x, np.ndarray) and x.size:
        low, high = x.min(), x.max()
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"`{name}` must be in [0, 1]. Received: values from {low} to "
                f"{high}. Divide grey levels by 255."
            )


def pixels_of(images: Any, image_shape: Sequence[int], dtype: Any) -> tf.Tensor:
    """Returns images in the shape of a model's, `[B, ...]`, flat or not.

    Raises:
      ValueError: if they have another number of pixels.
    """
    images = tf.convert_to_tensor(images)
    found = images.shape[1:].num_elements()
    if found not in (None, math.prod(image_shape)):
        wanted = ", ".join(map(str, image_shape))
        raise ValueError(
            f"Images must have the shape [B, {wanted}], or flat. Received: "
            f"images.shape={images.shape}."
        )
    return tf.reshape(tf.cast(images, dtype), [-1, *image_shape])


def mean_image(mean: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the mean image in the shape of one.

    Args:
      mean: a number or an array, in [0, 1].
      shape: of an image.

    Raises:
      ValueError: if it is not in [0, 1] or of another size.
    """
    mean = np.asarray(mean, np.float64)
    check_range("mean", mean)
    if mean.size == math.prod(shape):
        mean = mean.reshape(shape)
    return np.broadcast_to(mean, shape)
