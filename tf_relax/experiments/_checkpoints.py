"""Checkpoints of a run: the newest two, and which of them is whole."""

from collections.abc import Iterable, Mapping, Sequence
import pathlib
from typing import Any
import zipfile
import zlib

from absl import logging
import numpy as np

from tf_relax._saved_by import check_saved_by
from tf_relax._saved_by import KEY
from tf_relax._version import __version__
from tf_relax.experiments import _files

_KEPT = 2
# What `zipfile` says of files that are cut, empty or changed.
_DAMAGE = (
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def in_folder(folder: pathlib.Path, ending: str) -> list[pathlib.Path]:
    """Returns the checkpoints of a run's epochs, newest first."""
    return sorted(folder.glob(f"epoch_*{ending}"), key=epoch_of, reverse=True)


def of_epoch(folder: pathlib.Path, epoch: int, ending: str) -> pathlib.Path:
    """Returns where the checkpoint of an epoch lies."""
    return folder / f"epoch_{epoch:05d}{ending}"


def epoch_of(checkpoint: pathlib.Path) -> int:
    """Returns how many epochs were done at a checkpoint."""
    return int(checkpoint.stem.split("_")[1])


def remove_old(folder: pathlib.Path, ending: str) -> None:
    """Removes all but the newest two of a run's epochs."""
    for old in in_folder(folder, ending)[_KEPT:]:
        old.unlink()


def newest(checkpoints: Iterable[pathlib.Path]) -> pathlib.Path | None:
    """Returns the first of some files that is whole; warns of the others.

    Both `.keras` and `.npz` are zip archives, with a checksum of each part.

    Args:
      checkpoints: newest first; those that do not exist are passed over.

    Returns:
      None if there is no file at all.

    Raises:
      ValueError: if there are some and none is whole.
    """
    damaged: list[str] = []
    for path in filter(pathlib.Path.exists, checkpoints):
        damage = _damage(path)
        if damage is None:
            for why in damaged:
                logging.warning("%s; taking the one before it.", why)
            logging.info("Going on from %s", path)
            return path
        damaged.append(f"{path} is damaged ({damage})")
    if damaged:
        raise ValueError(
            f"No whole checkpoint is left. Received: {', '.join(damaged)}. "
            "Delete them to begin anew, or choose another folder."
        )
    return None


def _damage(path: pathlib.Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            part = archive.testzip()
    except _DAMAGE as error:
        return str(error)
    return None if part is None else f"its part {part} has another checksum"


def save_arrays(
    path: pathlib.Path,
    variables: Sequence[Any],
    others: Mapping[str, np.ndarray] | None = None,
    *,
    before: pathlib.Path | None = None,
) -> None:
    """Writes an `.npz` of variables, in their order, and of other arrays.

    Args:
      path: of the file.
      variables: what changes in a run.
      others: further arrays, by name.
      before: see `_output.replace`.
    """
    arrays: dict[str, Any] = {
        f"v{i}": np.asarray(v) for i, v in enumerate(variables)
    }
    arrays |= {KEY: np.array(__version__)} | dict(others or {})
    _files.replace(path, lambda draft: np.savez(draft, **arrays), before=before)


def restore_arrays(
    path: pathlib.Path, variables: Sequence[Any], others: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Sets variables to what `save_arrays` wrote; returns the other arrays.

    Args:
      path: of a file that is whole.
      variables: all of the file, or the first ones.
      others: names of the arrays to return.

    Raises:
      ValueError: if it is of another version of tf_relax, or what it has is
        not what is asked for.
    """
    with open(path, "rb") as file, np.load(file) as archive:
        arrays = dict(archive)
    version = arrays.get(KEY)
    check_saved_by(None if version is None else str(version))
    wanted = {f"v{i}": tuple(v.shape) for i, v in enumerate(variables)}
    missing = [
        f"{name} {shape}"
        for name, shape in wanted.items()
        if name not in arrays or arrays[name].shape != shape
    ]
    missing += [name for name in others if name not in arrays]
    if missing:
        raise ValueError(
            f"{path} must hold all that this run changes. Received: a file "
            f"without {', '.join(missing)}. It is of another run: choose "
            "another folder."
        )
    for name, variable in zip(wanted, variables, strict=True):
        variable.assign(arrays[name])
    return {name: arrays[name] for name in others}
