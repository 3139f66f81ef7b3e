"""Bytes of a file, gunzipped if need be, with errors that name the file."""

import gzip
import pathlib
import zlib

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
