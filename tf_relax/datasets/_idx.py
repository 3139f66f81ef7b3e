"""Images in the idx format of the original MNIST files."""

import pathlib
import struct

import numpy as np

from tf_relax.datasets import _files

_MAGIC = 2051  # 0x00000803: unsigned bytes, 3 dimensions.
_HEADER = struct.Struct(">4I")  # Magic, images, rows, columns: big-endian.


def read_idx(path: pathlib.Path) -> np.ndarray:
    """Returns the images of an idx3-ubyte file, gzipped or not.

    Args:
      path: the file.

    Returns:
      Grey levels 0..255, `[N, rows * columns]` uint8.

    Raises:
      ValueError: if the header is not of idx images, or if the number of
        pixels is not the one that the header states.

    References:
      [1]: LeCun, Cortes, Burges. The MNIST database of handwritten digits.
           http://yann.lecun.com/exdb/mnist/
    """
    data = _files.read_bytes(path)
    if len(data) < _HEADER.size:
        raise ValueError(
            f"{path}: expected an idx header of {_HEADER.size} bytes. "
            f"Received: {len(data)} bytes."
        )
    magic, count, rows, columns = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError(
            f"{path}: expected idx images, which begin with the number "
            f"{_MAGIC}. Received: {magic}{_guess(magic)}."
        )
    pixels = np.frombuffer(data, np.uint8, offset=_HEADER.size)
    if pixels.size != count * rows * columns:
        raise ValueError(
            f"{path}: expected {count} images of {rows} x {columns} = "
            f"{count * rows * columns} pixels, as its header says. "
            f"Received: {pixels.size} pixels."
        )
    return pixels.reshape(count, rows * columns)


def _guess(magic: int) -> str:
    return " (idx labels, not images)" if magic == 2049 else ""
