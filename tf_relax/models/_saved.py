"""What a `.keras` file has of a model; what it lacks is an error."""

from collections.abc import Mapping, Sequence
import functools
from typing import Any

import keras

from tf_relax._saved_by import check_saved_by
from tf_relax._saved_by import KEY
from tf_relax._version import __version__


def to_file(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a configuration as it is saved, with the version."""
    saved: dict[str, Any] = keras.saving.serialize_keras_object(dict(config))
    return {KEY: __version__} | saved


def from_file(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the configuration that `to_file` was given.

    Raises:
      ValueError: if the file is of another version of tf_relax.
    """
    saved = dict(config)
    check_saved_by(saved.pop(KEY, None))
    found: dict[str, Any] = keras.saving.deserialize_keras_object(saved)
    return found


def check_ending(path: Any) -> None:
    """Raises a ValueError if a model would be saved in an older format."""
    if not str(path).endswith(".keras"):
        raise ValueError(
            "A model is saved as a `.keras` file, which holds its optimizers "
            f"and estimators. Received: {path}."
        )


def build(optimizer: Any, variables: Sequence[Any]) -> None:
    """Builds an optimizer, and lets it refuse a file without its state.

    One that is not built would start at zero after loading. Keras warns of a
    file that has more or fewer variables than the optimizer, and goes on with
    none of them.
    """
    optimizer.build(list(variables))
    optimizer.load_own_variables = functools.partial(_load_all, optimizer)


def _load_all(optimizer: Any, store: Any) -> None:
    wanted: dict[str, Any] = {}
    optimizer.save_own_variables(wanted)
    missing = sorted(set(wanted) - set(store.keys()))
    unknown = sorted(set(store.keys()) - set(wanted))
    if missing or unknown:
        raise ValueError(
            f"The file must have the state of the optimizer {optimizer.name}, "
            f"{len(wanted)} variables. Received: a file that lacks "
            f"{len(missing)} of them and has {len(unknown)} others. To begin "
            "with a new optimizer, load a model with compile=False, and "
            "weights before `compile`."
        )
    type(optimizer).load_own_variables(optimizer, store)
