"""What the readers of files share; every error names the file."""

import gzip
import pathlib
import zlib

import numpy as np

_GZIP_MAGIC = b"\x1f\x8b"


def read_bytes(path: pathlib.Path) -> bytes:
    """Returns what is in a file, gunzipped if its first bytes say gzip.

    Args:
      path: the file. Its name's ending does not matter.

    Returns:
      All its bytes.

    Raises:
      ValueError: if a gzip file is truncated or damaged.
    """
    data = path.read_bytes()
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path}: expected a whole gzip file. Received: {len(data)} bytes "
            f"that do not unpack ({error}). Fetch the file again."
        ) from error


def contents(folder: pathlib.Path) -> str:
    """Returns what is in a folder, the first eight names; for an error."""
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:8]) or "nothing"
    return f"{shown}{', ...' if len(names) > 8 else ''}"


def check_shape(
    path: pathlib.Path,
    array: np.ndarray,
    expected: tuple[int, ...],
    what: str = "images",
) -> None:
    """Checks the shape of what was read.

    Args:
      path: where `array` was read; for the error.
      array: any array.
      expected: the shape that it must have.
      what: the name of `array`; for the error.

    Raises:
      ValueError: if it has another one.
    """
    if array.shape != expected:
        raise ValueError(
            f"{path}: expected {what} of shape {expected}. "
            f"Received: {array.shape}."
        )
