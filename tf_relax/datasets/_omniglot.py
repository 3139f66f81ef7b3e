"""Omniglot: Burda's `chardata.mat`, or the drawings shrunk another way."""

from collections.abc import Callable
import hashlib
import io
import os
import pathlib
from typing import Any, NamedTuple

from absl import logging
import numpy as np

from tf_relax.datasets import _files
from tf_relax.datasets import _npz
from tf_relax.datasets._image_dataset import ImageDataset

# Images in train, valid, test, and the MD5 of Burda's file.
SIZES = (23_000, 1_345, 8_070)
MD5 = "21ecaf34373511aa7691cf2e0802aa3d"
# The same of omniglot28.npz, which has all 32,460 drawings; Burda left out 45.
SIZES_28 = (23_000, 1_345, 8_115)

_PIXELS = 28 * 28
_WHITE = 255
# The paper's code has these two, whatever the seed of a run.
_DRAWS_SEED = 5
_SPLIT_SEED = 123
_HELP = f"""\
Omniglot of the paper is in Burda's chardata.mat (MD5 {MD5}):
  https://github.com/yburda/iwae/raw/master/datasets/OMNIGLOT/chardata.mat
omniglot28.npz is read too, other pixels in another split: arrays `images`,
  uint8 [32460, 28, 28], ink bright, and `is_test`, bool [32460], 8115 true;
  made from the drawings of https://github.com/brendenlake/omniglot
Give the file or its folder as `data_dir`.\
"""


def load_omniglot(
    data_dir: str | os.PathLike[str] | None,
    binarization: str,
    seed: int,
) -> ImageDataset:
    """Returns Omniglot, 23,000 / 1,345 / 8,070 images of 784 pixels.

    From Burda's `chardata.mat` come the images of the paper's code. Its grey
    levels, float32, are drawn once; then its training images are permuted, and
    the last 1,345 of them are the valid ones:

        rng = RandomState(5)  # One stream, first train and valid, then test.
        b = 1[rng.random_sample([N, 784]) < grey]  # In the file's order.
        order = RandomState(123).permutation(24345)

    The paper states none of this, it is in its code. The code draws from the
    global generator, `np.random.seed(5)`, whose numbers are the same; here that
    one is left alone.

    `omniglot28.npz` is not the paper's data: its PIXELS AND SPLIT ARE NOT
    BURDA'S. It has the same drawings, shrunk by area averaging and split by
    drawer, 8,115 of them for the test. They are drawn and permuted as above.
    Log-likelihoods are near those published, not strictly comparable, so its
    name is `"omniglot28-not-burda-..."`.

    Pixels are row by row, the image upright: `image.reshape(28, 28)`. Of a
    folder with both files the first is read.

    Args:
      data_dir: the folder of one of these files, or the file, which may have
        another name with the same ending. Reading `.mat` needs scipy.
      binarization: `"static"`, as above; or `"dynamic"`, grey levels, which for
        `chardata.mat` are rounded to multiples of 1/255.
      seed: without effect, as the draws are those of the paper's code.

    Returns:
      An `ImageDataset`, `"omniglot-chardata-static"` for one.

    Raises:
      FileNotFoundError: if there is no such file.
      ImportError: if scipy is missing and the file is `.mat`.
      ValueError: if `data_dir` is None (no file is embedded), or if a file is
        damaged.

    Examples:
      >>> from tf_relax import datasets
      >>> datasets.load("omniglot")
      Traceback (most recent call last):
      ValueError: Omniglot is not in the package...

    References:
      [1]: Burda, Grosse, Salakhutdinov. Importance Weighted Autoencoders. ICLR
           2016. https://arxiv.org/abs/1509.00519
      [2]: Lake, Salakhutdinov, Tenenbaum. Human-level concept learning through
           probabilistic program induction. Science 2015.
           https://github.com/brendenlake/omniglot
    """
    drawings = _read(*_locate(data_dir))
    if binarization == "static":
        train, test = _draw_once(drawings, seed)
    else:
        train, test = map(_round, (drawings.train, drawings.test))
    order = np.random.RandomState(_SPLIT_SEED).permutation(len(train))
    cut = len(train) - SIZES[1]
    logging.info("%s: %s-%s", data_dir, drawings.name, binarization)
    return ImageDataset(
        f"{drawings.name}-{binarization}",
        train[order[:cut]],
        train[order[cut:]],
        test,
        dynamic=binarization == "dynamic",
    )


class _Drawings(NamedTuple):
    """Grey levels as probabilities of a 1, in the order of a file."""

    name: str
    train: np.ndarray  # [N, 784] float32 in 0..1, the valid ones among them.
    test: np.ndarray  # [N, 784] float32.


def _draw_once(drawings: _Drawings, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if seed:
        logging.warning(
            "`seed` has no effect: %s is drawn as in the paper's code. "
            "Received: seed=%d. For other draws binarize the images that "
            "binarization='dynamic' gives.",
            drawings.name,
            seed,
        )
    rng = np.random.RandomState(_DRAWS_SEED)
    train, test = (
        (rng.random_sample(levels.shape) < levels).astype(np.uint8)
        for levels in (drawings.train, drawings.test)
    )
    return train, test


def _round(levels: np.ndarray) -> np.ndarray:
    return np.rint(_WHITE * levels).astype(np.uint8)


# --- chardata.mat -----------------------------------------------------------
def _read_mat(path: pathlib.Path) -> _Drawings:
    data = path.read_bytes()
    # First of all: on damaged files scipy's reader may even crash.
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if md5 != MD5:
        logging.warning(
            "%s is not the chardata.mat that was published: expected MD5 %s. "
            "Received: %s, %d bytes.",
            path,
            MD5,
            md5,
            len(data),
        )
    arrays = _parse_mat(path, data)
    sizes = {"data": SIZES[0] + SIZES[1], "testdata": SIZES[2]}
    _check_names(path, arrays, tuple(sizes))
    train, test = (
        _rows(path, name, np.asarray(arrays[name]), size)
        for name, size in sizes.items()
    )
    return _Drawings("omniglot-chardata", train, test)


def _parse_mat(path: pathlib.Path, data: bytes) -> dict[str, Any]:
    """Returns the variables of a MATLAB file by name."""
    try:
        import scipy.io
    except ImportError as error:
        raise ImportError(
            f"Reading {path} needs scipy. Run: pip install scipy"
        ) from error
    try:
        variables = scipy.io.loadmat(io.BytesIO(data))
    except Exception as error:  # It documents none and raises many.
        raise ValueError(
            f"{path}: expected a whole MATLAB file, of a version before 7.3. "
            f"Received: {len(data)} bytes that scipy.io can't read ({error})."
        ) from error
    return {k: v for k, v in variables.items() if not k.startswith("__")}


def _rows(
    path: pathlib.Path, name: str, columns: np.ndarray, size: int
) -> np.ndarray:
    """Returns images as rows: a column of `columns` goes down each image."""
    _files.check_shape(path, columns, (_PIXELS, size), f"`{name}`")
    if columns.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: expected real numbers in `{name}`. "
            f"Received: dtype={columns.dtype}."
        )
    low, high = columns.min(), columns.max()
    if not (low >= 0 and high <= 1):  # Neither holds of NaN.
        raise ValueError(
            f"{path}: expected grey levels from 0 to 1 in `{name}`. "
            f"Received: {low:g} to {high:g}."
        )
    images = columns.T.astype(np.float32).reshape(size, 28, 28)
    return images.transpose(0, 2, 1).reshape(size, _PIXELS)


# --- omniglot28.npz ---------------------------------------------------------
def _read_npz(path: pathlib.Path) -> _Drawings:
    arrays = _npz.read_npz(path, dtypes=(np.uint8, np.bool_))
    _check_names(path, arrays, ("images", "is_test"))
    images, is_test = arrays["images"], arrays["is_test"]
    size = sum(SIZES_28)
    _files.check_shape(path, images, (size, 28, 28), "uint8 `images`")
    _files.check_shape(path, is_test, (size,), "bool `is_test`")
    if images.dtype != np.uint8 or is_test.dtype != np.bool_:
        raise ValueError(
            f"{path}: expected `images` of uint8 and `is_test` of bool. "
            f"Received: {images.dtype} and {is_test.dtype}."
        )
    if is_test.sum() != SIZES_28[2]:
        raise ValueError(
            f"{path}: expected `is_test` to be true {SIZES_28[2]} times. "
            f"Received: {is_test.sum()} times."
        )
    levels = images.reshape(size, _PIXELS) / np.float32(_WHITE)
    return _Drawings("omniglot28-not-burda", levels[~is_test], levels[is_test])


# --- Either -----------------------------------------------------------------
_Reader = Callable[[pathlib.Path], _Drawings]

# In the order in which a folder is searched.
_FILES: dict[str, _Reader] = {
    "chardata.mat": _read_mat,
    "omniglot28.npz": _read_npz,
}
_READERS = {pathlib.Path(name).suffix: read for name, read in _FILES.items()}


def _locate(
    data_dir: str | os.PathLike[str] | None,
) -> tuple[_Reader, pathlib.Path]:
    """Returns what reads the file, and the file."""
    if data_dir is None:
        raise ValueError(
            "Omniglot is not in the package: `data_dir` must say where it is. "
            f"Received: data_dir=None.\n{_HELP}"
        )
    path = pathlib.Path(data_dir).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"No such file or folder: {path}\n{_HELP}")
    if path.is_dir():
        path = _file_in_folder(path)
    elif path.suffix not in _READERS:
        raise ValueError(
            f"{path}: expected a file that ends in {' or '.join(_READERS)}. "
            f"Received: {path.name!r}.\n{_HELP}"
        )
    return _READERS[path.suffix], path


def _file_in_folder(folder: pathlib.Path) -> pathlib.Path:
    for name in _FILES:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"{folder}: expected {' or '.join(_FILES)}. Received a folder with "
        f"{_files.contents(folder)}.\n{_HELP}"
    )


def _read(read: _Reader, path: pathlib.Path) -> _Drawings:
    """Reads a file; adds to errors where to get it."""
    try:
        return read(path)
    except ValueError as error:
        raise ValueError(f"{error}\n{_HELP}") from error


def _check_names(
    path: pathlib.Path, arrays: dict[str, Any], names: tuple[str, ...]
) -> None:
    if not set(names) <= set(arrays):
        raise ValueError(
            f"{path}: expected arrays {', '.join(names)}. "
            f"Received: {sorted(arrays)}."
        )
