"""What a sweep leaves behind: checkpoints, rows, pictures."""

from collections.abc import Sequence
import pathlib
from typing import Any
import zipfile

from absl import logging
import numpy as np

from tf_relax.experiments import _callbacks
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


def check_is_sweep(out: pathlib.Path) -> None:
    """Raises a ValueError if a folder holds a run of something else."""
    path = out / "config.json"
    if path.exists():
        seed = _files.read_settings(path).get("seed")
        if not isinstance(seed, str):  # A sweep has a list.
            raise ValueError(
                f"{out} must hold a sweep or nothing. Received: a single run. "
                "Choose another folder."
            )


def save(replicas: Replicas, epoch: int, folder: pathlib.Path) -> None:
    """Writes a checkpoint, and removes all but the newest two."""
    arrays: dict[str, Any] = {
        f"v{i}": np.asarray(v) for i, v in enumerate(replicas.variables)
    }
    path = folder / f"epoch_{epoch:05d}{_ENDING}"
    _files.replace(path, lambda draft: np.savez(draft, **arrays))
    for old in _callbacks.checkpoints(folder, _ENDING)[:-2]:
        old.unlink()


def restore(replicas: Replicas, folder: pathlib.Path) -> int:
    """Takes the newest whole checkpoint; returns its epoch, 0 if none."""
    for path in reversed(_callbacks.checkpoints(folder, _ENDING)):
        try:
            # NumPy does not close what it cannot read.
            with open(path, "rb") as file, np.load(file) as arrays:
                values = [arrays[f"v{i}"] for i in range(len(arrays.files))]
        except (
            EOFError,
            OSError,
            ValueError,
            KeyError,
            zipfile.BadZipFile,
        ) as error:
            logging.warning(
                "%s is damaged (%s); taking the one before it.", path, error
            )
        else:
            for own, value in zip(replicas.variables, values, strict=True):
                own.assign(value)
            logging.info("Resuming from %s", path)
            return _callbacks.epoch_of(path)
    return 0


def key(runs: Sequence[VAESettings], replica: int) -> dict[str, Any]:
    """Returns the columns that say which replica a row is of.

    They are its number, learning rate and seed, and what else is swept.
    """
    named = ["learning_rate", "seed"]
    named += [x for x in _differing(runs) if x not in named]
    return {"replica": replica} | {
        name: getattr(runs[replica], name) for name in named
    }


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
