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
import tensorflow as tf

from tf_relax._output import read_csv
from tf_relax._output import remove_drafts
from tf_relax._output import replace
from tf_relax._output import write_csv
from tf_relax.models import DiscreteVAE

__all__ = [
    "device_name",
    "load_vae",
    "print_table",
    "provenance",
    "read_csv",
    "read_json",
    "remove_drafts",
    "replace",
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
            f"{path} must be JSON. Received: a damaged file ({error}). Choose "
            "another folder."
        ) from error
    return content


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
    if not path.is_file():
        raise FileNotFoundError(
            f"No model at {path}. Expected the model.keras of a run of "
            "train_vae."
        )
    try:
        model = keras.models.load_model(path)
    except (
        OSError,
        KeyError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(
            f"{path} cannot be loaded as a .keras file: {error}"
        ) from error
    if not isinstance(model, DiscreteVAE):
        raise ValueError(
            f"{path} must hold a DiscreteVAE. Received: {type(model).__name__}."
        )
    return model


def provenance(seed: int, jit_compile: bool) -> dict[str, Any]:
    """Returns versions, device, XLA, seed and commit, for `config.json`."""
    return {
        "versions": {name: _version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        "device": device_name(),
        "xla": jit_compile,
        "seed": seed,
        "commit": _commit(),
    }


def device_name() -> str:
    """Returns the name of the first GPU, or of the CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return str(details.get("device_name", gpus[0].name))
    return f"CPU: {_cpu_model()}, {os.cpu_count()} cores"


def _cpu_model() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [x.split(":")[1].strip() for x in lines if x.startswith("model n")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"


def _commit() -> str:
    folder = pathlib.Path(__file__).resolve().parent
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown: not a git checkout"
