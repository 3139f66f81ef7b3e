"""A data set that short runs go through in no time: 1,600 images of MNIST."""

import atexit
import pathlib
import tempfile

from tf_relax import datasets
from tf_relax.datasets import _npz

_FOLDER = tempfile.TemporaryDirectory()
atexit.register(_FOLDER.cleanup)

# For `--data_dir`.
FILE = str(pathlib.Path(_FOLDER.name) / "few.npz")

_npz.write_packed(
    pathlib.Path(FILE),
    {
        name: getattr(datasets.load("mnist"), name)[:size]
        for name, size in (("train", 1000), ("valid", 300), ("test", 300))
    },
)
