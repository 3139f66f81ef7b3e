"""What users may hand to a model, and what they are told otherwise."""

from collections.abc import Mapping, Sequence
import math
from typing import Any

import keras
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
    if optimizer is None:
        raise ValueError(
            "`optimizer` must be one of Keras' or its name, such as 'adam'. "
            "Received: None."
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
        check_whole(name, number, lowest)


def check_whole(name: str, number: Any, lowest: int) -> None:
    """Raises a ValueError unless a number is whole and large enough."""
    whole = isinstance(number, int | np.integer) and not isinstance(
        number, bool
    )
    if not whole or number < lowest:
        raise ValueError(
            f"`{name}` must be a whole number of at least {lowest}. Received: "
            f"{name}={number!r}."
        )


def check_rhythm(steps_per_call: Any, control_variate_every: Any) -> None:
    """Raises a ValueError if the steps of a call are no whole rounds.

    Args:
      steps_per_call: see `EstimatorTrainer.compile`.
      control_variate_every: likewise.
    """
    check_whole("steps_per_call", steps_per_call, 1)
    check_whole("control_variate_every", control_variate_every, 1)
    if steps_per_call % control_variate_every:
        rounds = -(-steps_per_call // control_variate_every)
        divisors = [
            str(n)
            for n in range(1, steps_per_call + 1)
            if steps_per_call % n == 0
        ]
        raise ValueError(
            "`control_variate_every` must divide steps_per_call, the steps in "
            "one program. Received: control_variate_every="
            f"{control_variate_every}, steps_per_call={steps_per_call}. Choose "
            f"steps_per_call={rounds * control_variate_every}, or "
            f"control_variate_every={' or '.join(divisors)}."
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
        if isinstance(values, str) or not hasattr(values, "__len__"):
            raise ValueError(
                f"`{name}` must be a list with one entry a model. Received: "
                f"{values!r}."
            )
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


def check_sources(x: Any, sources: Sequence[int], *, by_row: bool) -> None:
    """Raises a ValueError if what replicas are given has no axis of seeds."""
    shape = np.shape(x)
    expected = f"[K * B, {len(sources)}" + ("]" if by_row else ", D]")
    if len(shape) != 3 - by_row or shape[1] != len(sources):
        raise ValueError(
            f"`images` must be {expected}: those of K steps of B images, of "
            f"each of the seeds {list(sources)}. Received: shape={shape}."
        )


def check_range(name: str, x: Any) -> None:
    """Raises a ValueError if an array or eager tensor is not in [0, 1]."""
    x = _array_of(x)
    if isinstance(x, np.ndarray) and x.size:
        low, high = x.min(), x.max()
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"`{name}` must be in [0, 1]. Received: values from {low} to "
                f"{high}. Divide grey levels by 255."
            )


def check_images(x: Any, image_shape: Sequence[int]) -> None:
    """Raises a ValueError if what Keras is given holds no images of a model.

    Args:
      x: an array or eager tensor, of which all is looked at, or a
        `tf.data.Dataset`, of which the first batch is. Anything else passes.
      image_shape: of the model's.
    """
    if isinstance(x, tf.data.Dataset):
        for batch in x.take(1):
            x = keras.utils.unpack_x_y_sample_weight(batch)[0]
    x = _array_of(x)
    if isinstance(x, np.ndarray):
        check_range("images", x)
        if not len(x):
            raise ValueError(
                "There must be one image at least. Received: images.shape="
                f"{x.shape}."
            )
        _check_shape(tf.TensorShape(x.shape), image_shape)


def _array_of(x: Any) -> Any:
    """Returns an eager tensor as an array, and anything else as it is."""
    return x.numpy() if tf.is_tensor(x) and hasattr(x, "numpy") else x


def _check_shape(shape: tf.TensorShape, image_shape: Sequence[int]) -> None:
    if shape.rank == 0 or shape[1:].num_elements() not in (
        None,
        math.prod(image_shape),
    ):
        wanted = ", ".join(map(str, image_shape))
        raise ValueError(
            f"Images must have the shape [B, {wanted}], or as many numbers an "
            f"image; one alone is image[None]. Received: images.shape={shape}."
        )


def check_compiled(model: Any) -> None:
    """Raises a ValueError if a model has no optimizers yet."""
    if not model.compiled:
        raise ValueError("Call `compile` before `fit` or `evaluate`.")


def pixels_of(images: Any, image_shape: Sequence[int], dtype: Any) -> tf.Tensor:
    """Returns images in the shape of a model's, `[B, ...]`, flat or not.

    Raises:
      ValueError: if they have another number of pixels.
    """
    images = tf.convert_to_tensor(images)
    _check_shape(images.shape, image_shape)
    # The number of images is given: what does not fit is not cut anew.
    shape = [tf.shape(images)[0], *image_shape]
    return tf.reshape(tf.cast(images, dtype), shape)


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
    elif mean.size != 1:
        raise ValueError(
            f"`mean` must be a number or an image of shape {list(shape)}. "
            f"Received: an array of shape {list(mean.shape)}."
        )
    return np.broadcast_to(mean, shape)
