"""Estimators by name, for the edge where people type them."""

from collections.abc import Callable
import inspect
from typing import Any, TypeVar

import keras

from tf_relax._names import unknown
from tf_relax.estimators._estimator import Estimator

_Kind = TypeVar("_Kind", bound=type[Estimator])

_ESTIMATORS: dict[str, type[Estimator]] = {}


def register(name: str) -> Callable[[_Kind], _Kind]:
    """Returns a class decorator that gives an estimator its name.

    `get` and `DiscreteVAE` then know it, and Keras can save models that hold
    it; the estimators of this package are registered so.

    Args:
      name: for example "my_estimator".

    Raises:
      TypeError: if the name is no string, or the class no `Estimator` with a
        method `gradient`.
      ValueError: if another class has that name.

    Examples:
      >>> import tf_relax as tfr
      >>> @register("twice_reinforce")
      ... class TwiceReinforce(tfr.Estimator):
      ...     def gradient(self, draw, value, control_variate):
      ...         signal = 2.0 * value[..., tf.newaxis]
      ...         return {"logits": signal * draw.score["logits"]}
      >>> get("twice_reinforce").min_samples
      1
    """
    if not isinstance(name, str) or not name:
        raise TypeError(
            f"`register` wants a name. Received: {name!r}. Write "
            '@register("my_estimator").'
        )

    def decorate(kind: _Kind) -> _Kind:
        if not (isinstance(kind, type) and issubclass(kind, Estimator)):
            raise TypeError(
                "`register` is for subclasses of tf_relax.Estimator. "
                f"Received: {kind!r}."
            )
        if inspect.isabstract(kind):
            raise TypeError(
                "An estimator must have a method `gradient(draw, value, "
                f"control_variate)`. Received: {_path(kind)} without."
            )
        known = _ESTIMATORS.get(name, kind)
        # The same class again is a module or a cell that ran twice.
        if _path(known) != _path(kind):
            raise ValueError(
                f"The name {name!r} is taken by {_path(known)}. Received: "
                f"{_path(kind)}. Use another name."
            )
        _ESTIMATORS[name] = kind
        package = kind.__module__.partition(".")[0]
        keras.saving.register_keras_serializable(package)(kind)
        return kind

    return decorate


def class_of(name: str) -> type[Estimator]:
    """Returns the class of that name.

    Raises:
      ValueError: if there is none; names the closest one.

    Examples:
      >>> class_of("disarm").min_samples
      2
    """
    if name not in _ESTIMATORS:
        raise ValueError(unknown("estimator", name, _ESTIMATORS))
    return _ESTIMATORS[name]


def names() -> list[str]:
    """Returns the names that `get` knows, sorted."""
    return sorted(_ESTIMATORS)


def get(name: str, **kwargs: Any) -> Estimator:
    """Returns the estimator of that name, made with `kwargs`.

    Raises:
      ValueError: if there is none; names the closest one.

    Examples:
      >>> get("leave_one_out").min_samples
      2
    """
    return class_of(name)(**kwargs)


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
