"""Files of runs, and what a run was made with."""

from collections.abc import Mapping, Sequence
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from typing import Any
import zipfile

import keras

from tf_relax._output import read_csv
from tf_relax._output import remove_drafts
from tf_relax._output import replace
from tf_relax._output import rows_until
from tf_relax._output import write_csv
from tf_relax.experiments._hardware import cpu_threads
from tf_relax.experiments._hardware import device_name
from tf_relax.models import DiscreteVAE

__all__ = [
    "check_writable",
    "device_name",
    "load_vae",
    "print_table",
    "provenance",
    "read_csv",
    "read_json",
    "read_settings",
    "remove_drafts",
    "replace",
    "rows_until",
    "write_csv",
    "write_json",
]

_PACKAGES = (
    "tf_relax",
    "tensorflow",
    "keras",
    "tensorflow-probability",
    "tf-keras",
    "numpy",
)

# What runs write beside their config.json, of the endings that tables have.
_OF_RUNS = (
    "config.json",
    "curves.png",
    "images.png",
    "metrics.csv",
    "posterior.csv",
    "summary.json",
    "variance.csv",
)


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes `content` as indented JSON, atomically."""
    text = json.dumps(content, indent=2) + "\n"
    replace(path, lambda draft: draft.write_text(text))


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Returns the content of a JSON file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path} must be JSON. Received: a damaged file ({error}). Restore "
            "it, or choose another folder."
        ) from error
    return content


def read_settings(path: pathlib.Path) -> dict[str, Any]:
    """Returns the settings in a run's `config.json`.

    Raises:
      ValueError: if the file is not what a run writes.
    """
    try:
        settings: dict[str, Any] = dict(read_json(path)["settings"])
    except (OSError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be what a run writes, with its settings "
            f"({type(error).__name__}: {error}). Choose another folder."
        ) from error
    return settings


def check_writable(path: pathlib.Path, kind: str) -> None:
    """Raises an OSError if there is no writing to a path, and makes nothing.

    Args:
      path: of what is to be written.
      kind: "folder", "file", or "table": a CSV file, beside which there may be
        a `.json` and a `.png` of that name.

    Raises:
      ValueError: if a table has another ending.
    """
    if path.is_file() if kind == "folder" else path.is_dir():
        wanted, found = (
            ("folder", "file") if path.is_file() else ("file", "folder")
        )
        raise FileExistsError(
            f"--out must be a {wanted}. Received: the {found} {path}."
        )
    if kind == "table":
        _check_table(path)
    there = next(x for x in (path, *path.absolute().parents) if x.exists())
    if there != path and not there.is_dir():
        raise NotADirectoryError(
            f"--out must lie in a folder. Received: {path}, and {there} is a "
            "file."
        )
    if not os.access(there, os.W_OK):
        raise PermissionError(
            f"--out must be where you may write. Received: {path}, and {there} "
            "is write-protected."
        )


def _check_table(path: pathlib.Path) -> None:
    """Raises an error where a table would replace something else."""
    if path.suffix != ".csv":
        raise ValueError(
            f"--out must end in .csv. Received: {path}. Try "
            f"{path.with_suffix('.csv')}."
        )
    files = [path.with_suffix(ending) for ending in (".csv", ".json", ".png")]
    taken = [x for x in files if x.name in _OF_RUNS and x.exists()]
    if taken and (path.parent / "config.json").exists():
        raise FileExistsError(
            f"--out would replace {taken[0]}, which is of a run. Received: "
            f"{path}. Choose another name."
        )


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows under their names, in columns."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [
        max(len(str(x)) for x in column) for column in zip(*lines, strict=True)
    ]
    for line in lines:
        cells = zip(line, widths, strict=True)
        print("  ".join(f"{x!s:>{width}}" for x, width in cells))


def load_vae(path: pathlib.Path) -> DiscreteVAE:
    """Returns the model in a `.keras` file.

    Raises:
      FileNotFoundError: if there is none.
      ValueError: if it is damaged or of something else.
    """
    if path.is_dir():
        raise FileNotFoundError(
            f"No model at {path}, which is a folder. Expected a file, such as "
            f"{path / 'model.keras'} of a run."
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"No model at {path}. Expected the model.keras of a run of "
            "train_vae."
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} cannot be loaded as a .keras file: it is damaged, or of "
            "another kind."
        )
    try:
        model = keras.models.load_model(path)
    except (
        OSError,
        KeyError,
        RuntimeError,  # Of h5py.
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(
            f"{path} cannot be loaded as a .keras file: "
            f"{str(error).partition('. ')[0].rstrip('.')}."
        ) from error
    if not isinstance(model, DiscreteVAE):
        raise ValueError(
            f"{path} must hold a DiscreteVAE. Received: {type(model).__name__}."
        )
    return model


def provenance(seed: int, jit_compile: bool) -> dict[str, Any]:
    """Returns versions, device, XLA, seed and commit, for `config.json`.

    The commit is that of the checkout which holds this file, if one does.
    """
    return {
        "versions": {name: _version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        "device": device_name(),
        "cpu_threads": cpu_threads(),
        "xla": jit_compile,
        "seed": seed,
        "commit": _commit(),
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"


def _commit() -> str:
    file = pathlib.Path(__file__).resolve()
    try:
        # A package may lie in a checkout of something else.
        _git("ls-files", "--error-unmatch", file.name, folder=file.parent)
        return _git(
            "describe", "--always", "--dirty", "--abbrev=12", folder=file.parent
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown: not a git checkout"


def _git(*words: str, folder: pathlib.Path) -> str:
    return subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()
