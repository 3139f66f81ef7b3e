"""Images in NumPy archives: Keras' `mnist.npz`, and splits packed to bits."""

import pathlib
import zipfile
import zlib

import numpy as np

# Zip can't state an earlier date. Any fixed one makes the bytes repeatable.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


def read_npz(
    path: pathlib.Path, dtypes: tuple[type[np.generic], ...] = (np.uint8,)
) -> dict[str, np.ndarray]:
    """Returns the arrays of an archive by name.

    Args:
      path: the file.
      dtypes: those wanted.

    Returns:
      Name to array. Arrays of other dtypes (labels, say) are left out.

    Raises:
      ValueError: if the file is not a whole `.npz` archive.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file):
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: expected a whole NumPy .npz archive. "
            f"Received: {path.stat().st_size} bytes ({error})."
        ) from error
    return {
        name: array
        for name, array in arrays.items()
        if isinstance(array, np.ndarray) and array.dtype in dtypes
    }


def unpack(
    path: pathlib.Path, packed: np.ndarray, num_pixels: int
) -> np.ndarray:
    """Returns images from their bits, eight pixels a byte.

    Args:
      path: where `packed` was read; for the error.
      packed: `[N, ceil(num_pixels / 8)]` uint8, made by `np.packbits(axis=1)`.
      num_pixels: pixels of an image.

    Returns:
      `[N, num_pixels]` uint8 of 0 and 1.

    Raises:
      ValueError: if a row does not have the bytes of `num_pixels` bits.
    """
    width = -(-num_pixels // 8)
    if packed.ndim != 2 or packed.shape[1] != width:
        raise ValueError(
            f"{path}: expected images packed to bits, uint8 [N, {width}]. "
            f"Received: shape {packed.shape}."
        )
    return np.unpackbits(packed, axis=1, count=num_pixels)


def write_packed(path: pathlib.Path, splits: dict[str, np.ndarray]) -> None:
    """Writes binary images to an archive, the same bytes every time.

    Args:
      path: the file to write; one that is there is replaced.
      splits: name to `[N, D]` uint8 of 0 and 1, written in this order.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, images in splits.items():
            info = zipfile.ZipInfo(f"{name}.npy", date_time=_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = _UNIX
            packed = np.packbits(images, axis=1)
            with archive.open(info, "w") as file:
                np.lib.format.write_array(file, packed, allow_pickle=False)
