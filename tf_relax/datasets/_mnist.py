"""MNIST: embedded in the package, or from the files that people have."""

from collections.abc import Callable
import os
import pathlib
from typing import NamedTuple

from absl import logging
import numpy as np

from tf_relax.datasets import _amat
from tf_relax.datasets import _files
from tf_relax.datasets import _idx
from tf_relax.datasets import _npz
from tf_relax.datasets._image_dataset import binarize_once
from tf_relax.datasets._image_dataset import ImageDataset

EMBEDDED = pathlib.Path(__file__).with_name("mnist.npz")
# Images in train, valid, test. The last images of the original training file
# are the valid ones, as in Larochelle's files.
SIZES = (50_000, 10_000, 10_000)

_PIXELS = 28 * 28
_SPLITS = ("train", "valid", "test")
_AMAT_FILES = tuple(f"binarized_mnist_{split}.amat" for split in _SPLITS)
_IDX_FILES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
_GREY_HELP = """\
Grey levels are in:
  train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz,
  t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz (gzipped or not, labels
    may be missing): https://storage.googleapis.com/cvdf-datasets/mnist/ or
    https://ossci-datasets.s3.amazonaws.com/mnist/
  mnist.npz of Keras: ~/.keras/datasets/ once keras.datasets.mnist.load_data()
    was called, or https://storage.googleapis.com/tensorflow/tf-keras-datasets/\
"""
_HELP = f"""\
{_GREY_HELP}
Binary, Larochelle's draws, are in:
  binarized_mnist_train.amat, binarized_mnist_valid.amat,
  binarized_mnist_test.amat:
    http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/
Give the folder or one of its files as `data_dir`.\
"""


def load_mnist(
    data_dir: str | os.PathLike[str] | None,
    binarization: str,
    seed: int,
) -> ImageDataset:
    """Returns MNIST, 50,000 / 10,000 / 10,000 images of 784 pixels.

    A folder may hold several formats. The first of these is read:

      1. `binarized_mnist_{train,valid,test}.amat`, Larochelle's fixed
         binarisation (only if `binarization` is `"static"`),
      2. `{train,t10k}-images-idx3-ubyte`, gzipped or not,
      3. `mnist.npz` of Keras, or one with splits packed to bits,
      4. `mnist_larochelle.npz`, Larochelle's binarisation packed to bits.

    Args:
      data_dir: a folder, or one file, which says which format is wanted.
        Default: the embedded file, static and drawn with seed 0.
      binarization: `"static"` or `"dynamic"`.
      seed: of the draws that make grey levels static.

    Returns:
      An `ImageDataset` named after the format, say `"mnist-idx-static"`.

    Raises:
      FileNotFoundError: if a file is missing.
      ValueError: if a file is damaged, or if grey levels are asked of a
        binary one.

    Examples:
      >>> from tf_relax import datasets
      >>> data = datasets.load_mnist(None, "static", seed=0)
      >>> round(float(data.mean.mean() * 255), 1)
      33.4
    """
    if data_dir is None:
        data = _read(_EMBEDDED_FORMAT, EMBEDDED.parent)
    else:
        path = pathlib.Path(data_dir).expanduser()
        data = _read(*_locate(path, binarization))
    if binarization == "dynamic" and not data.dynamic:
        raise ValueError(
            f"binarization='dynamic' needs grey levels. Received: {data.name} "
            f"(data_dir={data_dir}), whose pixels were drawn once and for all. "
            f"Give `data_dir` with one of these.\n{_GREY_HELP}"
        )
    if binarization == "static":
        data = _make_static(data, seed)
    logging.info("%s: %s-%s", data_dir or EMBEDDED, data.name, binarization)
    return data._replace(name=f"{data.name}-{binarization}")


def make_static_mnist(
    data_dir: str | os.PathLike[str], out: str | os.PathLike[str], seed: int
) -> None:
    """Binarises the idx files of a folder once and writes the embedded file.

    The same images and seed give the same bytes.

    Args:
      data_dir: folder with the idx files.
      out: the file to write, train, valid and test packed to bits.
      seed: non-negative integer; of the draws.

    Raises:
      FileNotFoundError: if an idx file is missing.
      ValueError: if one is damaged.
    """
    folder = pathlib.Path(data_dir).expanduser()
    data = binarize_once(_read(_IDX_FORMAT, folder), seed)
    splits = {split: getattr(data, split) for split in _SPLITS}
    _npz.write_packed(pathlib.Path(out), splits)


class _Format(NamedTuple):
    """One way to store MNIST; `read` gets the paths of `files`."""

    files: tuple[str, ...]  # A file may have ".gz" behind its name.
    is_binary: bool
    read: Callable[..., ImageDataset]


def _read_amat(*paths: pathlib.Path) -> ImageDataset:
    splits = [_amat.read_amat(path, _PIXELS) for path in paths]
    for path, images, size in zip(paths, splits, SIZES, strict=True):
        _files.check_shape(path, images, (size, _PIXELS))
    train, valid, test = splits
    return ImageDataset("mnist-amat", train, valid, test, dynamic=False)


def _read_idx(
    train_path: pathlib.Path, test_path: pathlib.Path
) -> ImageDataset:
    train, test = _idx.read_idx(train_path), _idx.read_idx(test_path)
    _files.check_shape(train_path, train, (SIZES[0] + SIZES[1], _PIXELS))
    _files.check_shape(test_path, test, (SIZES[2], _PIXELS))
    return _split("mnist-idx", train, test)


def _read_npz(path: pathlib.Path) -> ImageDataset:
    """Reads Keras' layout or the packed one: the names of the arrays tell."""
    arrays = _npz.read_npz(path)
    if set(_SPLITS) <= set(arrays):
        data = _read_packed(path, arrays)
    elif {"x_train", "x_test"} <= set(arrays):
        data = _read_keras(path, arrays["x_train"], arrays["x_test"])
    else:
        raise ValueError(
            f"{path}: expected uint8 arrays x_train, x_test (Keras) or train, "
            f"valid, test (packed to bits). Received: {sorted(arrays)}."
        )
    return data


def _read_packed(
    path: pathlib.Path, arrays: dict[str, np.ndarray]
) -> ImageDataset:
    splits = [_npz.unpack(path, arrays[split], _PIXELS) for split in _SPLITS]
    for images, size in zip(splits, SIZES, strict=True):
        _files.check_shape(path, images, (size, _PIXELS))
    name = "mnist-embedded" if path == EMBEDDED else "mnist-packed"
    train, valid, test = splits
    return ImageDataset(name, train, valid, test, dynamic=False)


def _read_keras(
    path: pathlib.Path, train: np.ndarray, test: np.ndarray
) -> ImageDataset:
    _files.check_shape(path, train, (SIZES[0] + SIZES[1], 28, 28))
    _files.check_shape(path, test, (SIZES[2], 28, 28))
    return _split(
        "mnist-keras", train.reshape(-1, _PIXELS), test.reshape(-1, _PIXELS)
    )


_EMBEDDED_FORMAT = _Format((EMBEDDED.name,), True, _read_npz)
_IDX_FORMAT = _Format(_IDX_FILES, False, _read_idx)
# In the order in which a folder is searched.
_FORMATS = (
    _Format(_AMAT_FILES, True, _read_amat),
    _IDX_FORMAT,
    _Format(("mnist.npz",), False, _read_npz),
    _Format(("mnist_larochelle.npz",), True, _read_npz),
)


def _locate(
    path: pathlib.Path, binarization: str
) -> tuple[_Format, pathlib.Path]:
    """Returns the format to read and the folder where its files are."""
    if not path.exists():
        raise FileNotFoundError(f"No such file or folder: {path}\n{_HELP}")
    if path.is_dir():
        chosen = _format_in_folder(path, binarization), path
    else:
        chosen = _format_of_file(path), path.parent
    return chosen


def _format_in_folder(folder: pathlib.Path, binarization: str) -> _Format:
    there = [
        format_
        for format_ in _FORMATS
        if any(_find(folder, name) for name in format_.files)
    ]
    grey = [format_ for format_ in there if not format_.is_binary]
    wanted = grey or there if binarization == "dynamic" else there
    if not wanted:
        raise FileNotFoundError(
            f"{folder}: expected the files of MNIST. Received a folder with "
            f"{_files.contents(folder)}.\n{_HELP}"
        )
    return wanted[0]


def _format_of_file(path: pathlib.Path) -> _Format:
    if path.suffix == ".npz":
        return _Format((path.name,), False, _read_npz)
    name = path.name.removesuffix(".gz").replace(".idx", "-idx")
    for format_ in _FORMATS:
        if name in format_.files:
            return format_
    raise ValueError(
        f"{path}: expected a file of MNIST, by its usual name. "
        f"Received: {path.name!r}.\n{_HELP}"
    )


def _find(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    names = (name, name.replace("-idx", ".idx"))  # Some mirrors have a dot.
    paths = (folder / f"{n}{suffix}" for n in names for suffix in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _read(format_: _Format, folder: pathlib.Path) -> ImageDataset:
    """Reads every file of a format; adds to errors where to get the files."""
    paths = [_find(folder, name) for name in format_.files]
    missing = [n for n, p in zip(format_.files, paths, strict=True) if not p]
    if missing:
        raise FileNotFoundError(
            f"{folder}: missing {', '.join(missing)}.\n{_HELP}"
        )
    try:
        return format_.read(*paths)
    except ValueError as error:
        raise ValueError(f"{error}\n{_HELP}") from error


def _split(name: str, train: np.ndarray, test: np.ndarray) -> ImageDataset:
    size = SIZES[0]
    return ImageDataset(name, train[:size], train[size:], test, dynamic=True)


def _make_static(data: ImageDataset, seed: int) -> ImageDataset:
    if data.dynamic:
        data = binarize_once(data, seed)
    elif seed:
        logging.warning(
            "`seed` has no effect: %s is binary already. Received: seed=%d",
            data.name,
            seed,
        )
    return data
