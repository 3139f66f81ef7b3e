"""Runs whose numbers are not finite any more: what is said, and when."""

from collections.abc import Callable
import pathlib
from typing import Any

import keras
import numpy as np

from tf_relax import datasets
from tf_relax.experiments._vae_model import VAESettings
from tf_relax.models import changing
from tf_relax.models import Tracer


class StopAtNotFinite(keras.callbacks.Callback):
    """Stops a run with NaN or infinity, before anything of it is written.

    It looks at the ELBO after each call, and at weights and optimizers after
    each epoch. Then it takes the epoch's steps again, one by one, to name the
    first step and tensor.

    Args:
      settings: of the run.
      out: its folder.
      batches: gives the images from an epoch on.
    """

    def __init__(
        self,
        settings: VAESettings,
        out: pathlib.Path,
        batches: Callable[[int], datasets.Batches],
    ) -> None:
        """See the class."""
        super().__init__()
        self._settings = settings
        self._out = out
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._epoch = epoch
        self._begin = self.model.step
        self._good = [v.numpy() for v in self._variables()]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if not np.isfinite((logs or {}).get("elbo", 0.0)):
            self._stop("the ELBO")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        for name, variable in changing(self.model):
            if not np.isfinite(variable.numpy()).all():
                self._stop(name)

    def _variables(self) -> list[Any]:
        """Returns all that a step changes, counters included."""
        model = self.model
        optimizers = (model.optimizer, model.control_variate_optimizer)
        return [*model.weights, *(v for o in optimizers for v in o.variables)]

    def _stop(self, name: str) -> None:
        """Raises the error."""
        seen = self.model.step
        where = f"between steps {self._begin + 1} and {seen}"
        first = None if self.model.strategy else self._first(seen)
        if first is not None:
            where, name = f"in step {first[0]}", first[1]
        raise FloatingPointError(
            f"Not finite {where}: {name}. {likely_cause(name, self._settings)} "
            "Give the new settings another folder; checkpoints of before stay "
            f"in {self._out}, if there were any."
        )

    def _first(self, seen: int) -> tuple[int, str] | None:
        """Takes the steps of the epoch again; see `Tracer`."""
        for variable, value in zip(self._variables(), self._good, strict=True):
            variable.assign(value)
        batches, tracer = self._batches(self._epoch), Tracer(self.model)
        for index in range(len(batches)):
            found = tracer.first_not_finite(batches[index])
            if found is not None or self.model.step >= seen:
                return found
        return None


def likely_cause(name: str, settings: VAESettings) -> str:
    """Returns why a tensor is not finite, most often, and what to do."""
    if "control variate" in name:
        return (
            "Likely cause: the control variate or the model learns too fast, "
            "or the temperature is too low. Received: learning_rate="
            f"{settings.learning_rate:g}, control_variate_learning_rate_factor="
            f"{settings.control_variate_learning_rate_factor:g}, temperature="
            f"{settings.temperature:g}. Lower a rate or raise temperature."
        )
    return (
        "Likely cause: a learning rate that is too high. Received: "
        f"learning_rate={settings.learning_rate:g}. Lower it."
    )
