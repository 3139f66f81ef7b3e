"""Binary images as text: the `.amat` files of Larochelle's binarised MNIST."""

import pathlib

import numpy as np

from tf_relax.datasets import _files

_SEPARATORS = b" \t\r"


def read_amat(path: pathlib.Path, num_pixels: int) -> np.ndarray:
    """Returns the images of a text file with one image a line.

    78 MB of text take about half a second: no number is ever parsed, spaces
    are deleted and what stays is read as bytes.

    Args:
      path: the file: `num_pixels` times 0 or 1 a line, space separated. It
        may be gzipped.
      num_pixels: number of values that a line must have.

    Returns:
      `[N, num_pixels]` uint8 of 0 and 1.

    Raises:
      ValueError: naming the first line that is not `num_pixels` of 0 or 1.

    References:
      [1]: Larochelle, Murray. The Neural Autoregressive Distribution
           Estimator. AISTATS 2011.
           http://proceedings.mlr.press/v15/larochelle11a.html
    """
    lines = _files.read_bytes(path).split(b"\n")
    rows = [line.translate(None, _SEPARATORS) for line in lines]
    while rows and not rows[-1]:  # The last line ends in a newline.
        rows.pop()
    for number, row in enumerate(rows, start=1):
        if len(row) != num_pixels:
            raise ValueError(_complaint(path, number, row, num_pixels))
    # "0" and "1" become 0 and 1; every other byte wraps around to above 1.
    pixels = np.frombuffer(b"".join(rows), np.uint8) - np.uint8(ord("0"))
    images = pixels.reshape(len(rows), num_pixels)
    if (images > 1).any():
        worst = int((images > 1).any(axis=1).argmax())
        raise ValueError(_complaint(path, worst + 1, rows[worst], num_pixels))
    return images


def _complaint(
    path: pathlib.Path, number: int, row: bytes, num_pixels: int
) -> str:
    others = sorted(set(row) - set(b"01"))
    found = bytes(others[:8]).decode("ascii", "backslashreplace")
    extra = f", among them {found!r}" if others else ""
    return (
        f"{path}: expected {num_pixels} values a line, each 0 or 1. "
        f"Received: {len(row)} characters other than spaces in line "
        f"{number}{extra}."
    )
