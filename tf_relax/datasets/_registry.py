"""Data sets by name. A new one is one line in `LOADERS`."""

from collections.abc import Callable, Iterable
import difflib
import os

import numpy as np

from tf_relax.datasets import _mnist
from tf_relax.datasets import _omniglot
from tf_relax.datasets._image_dataset import ImageDataset

BINARIZATIONS = ("static", "dynamic")

# Maps (data_dir, binarization, seed) to the data.
Loader = Callable[[str | os.PathLike[str] | None, str, int], ImageDataset]

LOADERS: dict[str, Loader] = {
    "mnist": _mnist.load_mnist,
    "omniglot": _omniglot.load_omniglot,
}


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    binarization: str = "static",
    seed: int = 0,
) -> ImageDataset:
    """Returns a data set from a file in the package or from your own files.

    Args:
      name: a key of `LOADERS`, such as `"mnist"`.
      data_dir: folder or file with the data, in any format that the loader
        knows: see `load_mnist`, `load_omniglot`. Default: the file embedded
        in the package, which only MNIST has.
      binarization: `"static"`, pixels are 0 or 1, drawn once; or `"dynamic"`,
        pixels are grey levels 0..255, to be drawn at each use by `binarize`.
      seed: non-negative integer, of the draws that make grey levels static.
        Has no effect on files that are binary already, nor on Omniglot, whose
        draws are those of the paper's code.

    Returns:
      An `ImageDataset`. Its `name` says what was read.

    Raises:
      ValueError: if `name` or `binarization` is unknown, if a file is not what
        it should be or has to be given, or if grey levels are asked of a binary
        file.
      FileNotFoundError: if a file is missing.
      ImportError: if reading it needs a package that is missing.

    Examples:
      >>> from tf_relax import datasets
      >>> data = datasets.load("mnist")
      >>> data.name, data.train.shape, data.test.shape
      ('mnist-embedded-static', (50000, 784), (10000, 784))
    """
    _check_choice("dataset", name, LOADERS)
    _check_choice("binarization", binarization, BINARIZATIONS)
    if seed < 0:
        raise ValueError(f"`seed` must be >= 0. Received: seed={seed}")
    data = LOADERS[name](data_dir, binarization, seed)
    # Some formats come by columns, where taking a batch is ten times slower.
    return data._replace(
        train=np.ascontiguousarray(data.train),
        valid=np.ascontiguousarray(data.valid),
        test=np.ascontiguousarray(data.test),
    )


def _check_choice(kind: str, value: str, choices: Iterable[str]) -> None:
    """Raises a ValueError with the closest choice if `value` is not one."""
    names = sorted(choices)
    if value in names:
        return
    close = difflib.get_close_matches(str(value).lower(), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"Unknown {kind} {value!r}.{hint} Available: {', '.join(names)}."
    )
