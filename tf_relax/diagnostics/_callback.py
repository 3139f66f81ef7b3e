"""A Keras callback that follows the gradients of several estimators."""

from collections.abc import Sequence
import os
import pathlib
import time
from typing import Any

import keras
import numpy as np

from tf_relax import _output
from tf_relax._names import unknown
from tf_relax.diagnostics import _plots
from tf_relax.diagnostics._case import cases_of_models
from tf_relax.diagnostics._case import exact_reference
from tf_relax.diagnostics._case import leave_one_out
from tf_relax.diagnostics._draws import meter
from tf_relax.diagnostics._measure import statistics
from tf_relax.diagnostics._models import models_of
from tf_relax.diagnostics._models import name_of
from tf_relax.models._checks import check_images
from tf_relax.relaxations import fold_seed

_REFERENCE = 1  # Salt of the reference's draws.
_REFERENCE_SAMPLES = 4
_LOGGED = ("gradient_variance", "signal_to_noise", "bias_z")


class GradientDiagnostics(keras.callbacks.Callback):
    """Measures estimators' gradients at the model as it is, during `fit`.

    At the end of the first epoch and of every `every`-th after it (or after
    so many optimizer steps), on the same images and with fresh draws: the
    gradient's variance, its signal-to-noise ratio and the z-score of its
    bias; see `tf_relax.diagnostics.Measurement`. They go to `logs`, as
    `gradient_variance/relax` and so on, where the callbacks behind this one
    (`CSVLogger`, `TensorBoard`) and the history find them; to a CSV file of
    its own; and, when training ends, to a plot beside that.

    What it costs is measured too: `diagnostics_ms`, milliseconds of the
    measurement, the first one's compilation included, and
    `diagnostics_share`, the part of the time since training began that all
    measurements took. A measurement is `draws` gradients of every image by
    each estimator, and as many of leave-one-out with 4 samples, which the
    bias is held against where enumeration does not fit.

    Training is not disturbed: model, optimizers, and what they draw are
    bitwise those of training without it (under XLA and eagerly; graph mode
    does not repeat itself bitwise). An estimator other than the model's
    has control variates of its own, which take as many steps on
    `train_images` as the model took; they are in no checkpoint, and a resumed
    run begins them anew.

    Args:
      images: to measure at, `[N, ...]`, in [0, 1].
      estimators: names, see `tf_relax.models.estimator_names`. Default: the
        model's own.
      every: epochs or steps between two measurements.
      per: "epoch" or "step", the unit of `every`.
      draws: of each image's gradient, 8 at least.
      path: of the CSV file; None for none. Rows of later epochs than the
        first that is trained are dropped.
      train_images: that control variates of other estimators learn on; None
        leaves them untrained.
      batch_size: of a step of those.
      temperature: of a relaxed f of those, at the start.
      seed: of the draws.

    Raises:
      ValueError: if `every` is less than 1, `draws` less than 8, or `per`
        unknown; when training begins, if `images` are none, of another shape
        than the model's, or not in [0, 1].

    Examples:
      >>> import tf_relax as tfr
      >>> images = (np.arange(64 * 784) % 7 == 0).reshape(64, 784)
      >>> vae = tfr.models.DiscreteVAE("linear1", 4, "reinforce")
      >>> vae.compile("adam", jit_compile=False)
      >>> watch = GradientDiagnostics(images[:8])
      >>> history = vae.fit(images, callbacks=[watch], verbose=0).history
      >>> sorted(history)
      ['bias_z/reinforce', 'diagnostics_ms', 'diagnostics_share', 'elbo',
       'gradient_variance/reinforce', 'loss', 'signal_to_noise/reinforce']
    """

    def __init__(
        self,
        images: Any,
        estimators: Sequence[str] = (),
        *,
        every: int = 1,
        per: str = "epoch",
        draws: int = 20,
        path: str | os.PathLike[str] | None = None,
        train_images: np.ndarray | None = None,
        batch_size: int = 100,
        temperature: float = 0.5,
        seed: int = 0,
    ) -> None:
        """See the class."""
        super().__init__()
        if every < 1:
            raise ValueError(
                f"`every` must be at least 1. Received: every={every}."
            )
        if draws < 8:
            raise ValueError(
                f"`draws` must be at least 8. Received: draws={draws}."
            )
        if per not in ("epoch", "step"):
            raise ValueError(unknown("per", per, ("epoch", "step")))
        self._images = images
        one = isinstance(estimators, str)
        self._names = [str(estimators)] if one else list(estimators)
        self._every = every
        self._per = per
        self._draws = draws
        self._path = None if path is None else pathlib.Path(path)
        self._train_images = train_images
        self._batch_size = batch_size
        self._temperature = temperature
        self._seed = seed
        self.rows: list[dict[str, Any]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        check_images(np.asarray(self._images), self.model.image_shape)
        names = self._names or [name_of(self.model)]
        self._models = models_of(
            self.model,
            names,
            temperature=self._temperature,
            seed=self.model.seed,
        )
        cases = cases_of_models(self._models, self._images)
        jit_compile = bool(self.model.jit_compile)
        self._meters = {
            case.name: meter(case, self._draws, jit_compile) for case in cases
        }
        reference = exact_reference(cases[0]) or leave_one_out(
            cases[0], _REFERENCE_SAMPLES
        )
        self._reference = meter(reference, self._draws, jit_compile)
        self._measured_at = self._learned_at = self._step
        self._latest: dict[str, float] = {}
        self._seconds = 0.0
        self._epoch: int | None = None
        self._begin = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if self._epoch is None and self._path is not None:
            self.rows = _output.rows_until(self._path, epoch)
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if self._per == "step":
            if self._step - self._measured_at >= self._every:
                self._measure()
            if logs is not None:
                logs.update(self._latest)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        due = epoch % self._every == 0
        if self._per == "epoch" and due:
            self._measure()
        if logs is not None and (self._per == "step" or due):
            logs.update(self._latest)

    def on_train_end(self, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if self._path is not None and self.rows:
            _plots.draw_history(self._path.with_suffix(".png"), self.rows)

    @property
    def _step(self) -> int:
        return int(self.model.step)

    def _measure(self) -> None:
        """Adds a row for each estimator, and to what is logged."""
        begin = time.perf_counter()
        self._learn()
        seed = fold_seed((self._seed, self._step), 0)
        reference = self._reference(fold_seed(seed, _REFERENCE))
        found = {
            name: statistics(run(seed), reference)
            for name, run in self._meters.items()
        }
        end = time.perf_counter()
        self._seconds += end - begin
        cost = {
            "diagnostics_ms": 1e3 * (end - begin),
            "diagnostics_share": self._seconds / (end - self._begin),
        }
        self._latest = cost | {
            f"{key}/{name}": values[key]
            for name, values in found.items()
            for key in _LOGGED
        }
        at = {"step": self._step, "epoch": int(self._epoch or 0) + 1}
        self.rows += [
            at
            | {"estimator": name}
            | {key: f"{x:.6g}" for key, x in (values | cost).items()}
            for name, values in found.items()
        ]
        self._measured_at = self._step
        if self._path is not None:
            _output.write_csv(self._path, self.rows)

    def _learn(self) -> None:
        """Lets the others' control variates catch up with the model."""
        for model in self._models.values():
            if model is self.model:
                continue
            model.prior_logits.assign(self.model.prior_logits)
            if self._train_images is not None:
                model.fit_control_variates(
                    self._train_images,
                    self._batch_size,
                    self._step - self._learned_at,
                )
        self._learned_at = self._step
