"""What a sweep leaves behind: checkpoints, rows, pictures."""

from collections.abc import Callable, Sequence
import pathlib
from typing import Any

import numpy as np

from tf_relax.diagnostics import LayerPosterior
from tf_relax.diagnostics._posterior import posterior_meter
from tf_relax.diagnostics._posterior import rows_of_layers
from tf_relax.experiments import _checkpoints
from tf_relax.experiments import _files
from tf_relax.experiments import _plots
from tf_relax.experiments._sweep_settings import SWEPT
from tf_relax.experiments._vae_model import VAESettings
from tf_relax.models import Replicas

_ENDING = ".npz"
_PANELS = {
    "elbo": "ELBO, training (nats)",
    "val_elbo": "ELBO, validation (nats)",
    "val_gradient_variance": "variance of the logits' gradient",
}


def save(replicas: Replicas, epoch: int, folder: pathlib.Path) -> None:
    """Writes a checkpoint, and removes all but the newest two."""
    path = _checkpoints.of_epoch(folder, epoch, _ENDING)
    _checkpoints.save_arrays(path, replicas.variables)
    _checkpoints.remove_old(folder, _ENDING)


def restore(replicas: Replicas, folder: pathlib.Path) -> int:
    """Takes the newest whole checkpoint; returns its epoch, 0 if none."""
    path = _checkpoints.newest(_checkpoints.in_folder(folder, _ENDING))
    if path is None:
        return 0
    _checkpoints.restore_arrays(path, replicas.variables)
    return _checkpoints.epoch_of(path)


def key(runs: Sequence[VAESettings], replica: int) -> dict[str, Any]:
    """Returns the columns that say which replica a row is of.

    They are its number, learning rate and seed, and what else is swept.
    """
    named = ["learning_rate", "seed"]
    named += [x for x in _differing(runs) if x not in named]
    return {"replica": replica} | {
        name: getattr(runs[replica], name) for name in named
    }


class PosteriorFile:
    """`posterior.csv`: what each replica's posterior does.

    Args:
      path: of the file. Rows of epochs after `epoch` are dropped.
      runs: the settings of each replica.
      images: to measure at.
      epoch: the number of epochs that are done.
    """

    def __init__(
        self,
        path: pathlib.Path,
        runs: Sequence[VAESettings],
        images: np.ndarray,
        epoch: int,
    ) -> None:
        """See the class."""
        self._path = path
        self._runs = runs
        self._images = images
        self._rows = _files.rows_until(path, epoch)
        self._meter: Callable[..., list[LayerPosterior]] | None = None

    def measure(self, replicas: Replicas, epoch: int) -> None:
        """Adds the rows of an epoch that ended, and writes the file."""
        if self._meter is None:
            jit_compile = self._runs[0].jit_compile
            self._meter = posterior_meter(replicas.model, jit_compile)
        for replica, run in enumerate(self._runs):
            replicas.copy_to(replicas.model, replica)
            at = {"step": replicas.step, "epoch": epoch}
            self._rows += rows_of_layers(
                key(self._runs, replica) | at,
                self._meter(self._images, (run.seed, epoch - 1)),
            )
        _files.write_csv(self._path, self._rows)


def draw(
    path: pathlib.Path,
    runs: Sequence[VAESettings],
    rows: Sequence[dict[str, Any]],
    title: str,
) -> None:
    """Draws curves as bands over the seeds, one for all else that differs.

    Args:
      path: of the PNG.
      runs: the settings of each replica.
      rows: of `metrics.csv`.
      title: above the picture.
    """
    measured = [row for row in rows if row.get("val_elbo")]
    groups: dict[str, list[int]] = {}
    for replica in range(len(runs)):
        groups.setdefault(_label(runs, replica), []).append(replica)
    curves = {
        label: _curve(measured or rows, members)
        for label, members in groups.items()
    }
    _plots.draw_bands(path, curves, _PANELS, title)


def _label(runs: Sequence[VAESettings], replica: int) -> str:
    """Returns what tells a replica from those that differ in the seed only."""
    names = {"learning_rate", *_differing(runs)} - {"seed"}
    return ", ".join(
        f"{name.replace('_', ' ')} {getattr(runs[replica], name):g}"
        for name in SWEPT
        if name in names
    )


def _curve(
    rows: Sequence[dict[str, Any]], members: Sequence[int]
) -> dict[str, np.ndarray]:
    """Returns what is drawn: steps `[T]`, and the others `[num_seeds, T]`."""
    own = [
        [row for row in rows if int(row["replica"]) == replica]
        for replica in members
    ]
    curve = {"step": np.array([int(row["step"]) for row in own[0]])}
    for name in _PANELS:
        if own[0] and own[0][0].get(name):
            curve[name] = np.array([[float(r[name]) for r in x] for x in own])
    return curve


def _differing(runs: Sequence[VAESettings]) -> list[str]:
    return [
        name for name in SWEPT if len({getattr(run, name) for run in runs}) > 1
    ]
