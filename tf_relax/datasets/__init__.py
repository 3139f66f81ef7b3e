"""Binary image data sets, read from files; nothing is ever downloaded."""

from tf_relax.datasets._batches import Batches
from tf_relax.datasets._image_dataset import binarize
from tf_relax.datasets._image_dataset import binary_images
from tf_relax.datasets._image_dataset import ImageDataset
from tf_relax.datasets._mnist import load_mnist
from tf_relax.datasets._mnist import make_static_mnist
from tf_relax.datasets._omniglot import load_omniglot
from tf_relax.datasets._registry import BINARIZATIONS
from tf_relax.datasets._registry import load
from tf_relax.datasets._registry import LOADERS

__all__ = [
    "BINARIZATIONS",
    "LOADERS",
    "Batches",
    "ImageDataset",
    "binarize",
    "binary_images",
    "load",
    "load_mnist",
    "load_omniglot",
    "make_static_mnist",
]
