"""What a data set is: three arrays of pixels, and how grey becomes binary."""

from typing import NamedTuple

import numpy as np

# The largest grey level: a pixel that is drawn as 1 for certain.
_WHITE = 255


class ImageDataset(NamedTuple):
    """Images in three splits. `N` is a split's size and `D` the pixels.

    Examples:
      >>> import numpy as np
      >>> from tf_relax import datasets
      >>> grey = np.array([[0, 255], [0, 0]], np.uint8)
      >>> datasets.ImageDataset("two", grey, grey, grey, dynamic=True).mean
      array([0. , 0.5], dtype=float32)
    """

    name: str  # The data set, the format it was read from, its binarisation.
    train: np.ndarray  # [N, D] uint8: 0 or 1, or grey levels if `dynamic`.
    valid: np.ndarray  # [N, D] uint8.
    test: np.ndarray  # [N, D] uint8.
    dynamic: bool  # Grey levels 0..255, to be drawn afresh at each use.

    @property
    def mean(self) -> np.ndarray:
        """Mean of `train`, `[D]` float32, probability that a pixel is 1."""
        scale = _WHITE if self.dynamic else 1
        mean = self.train.mean(axis=0, dtype=np.float64) / scale
        return np.asarray(mean, np.float32)


def binarize(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns one Bernoulli draw per pixel, 1 with probability `grey / 255`.

        b = 1[u < grey],  u ~ Uniform{0, ..., 254}

    The probability is exact: level 0 is never drawn as 1, level 255 always.

    Args:
      images: grey levels 0..255, uint8 of shape `[N, D]`.
      rng: source of the draws; it is advanced.

    Returns:
      `[N, D]` uint8 of 0 and 1.

    Raises:
      ValueError: if `images` is not uint8.

    Examples:
      >>> import numpy as np
      >>> from tf_relax import datasets
      >>> grey = np.array([[0, 255]], np.uint8)
      >>> datasets.binarize(grey, np.random.default_rng(0))
      array([[0, 1]], dtype=uint8)
    """
    if images.dtype != np.uint8:
        raise ValueError(
            "`images` must be grey levels 0..255 as uint8. Received: "
            f"dtype={images.dtype}. Probabilities p become levels by "
            "np.rint(255 * p).astype(np.uint8)."
        )
    draws = rng.integers(0, _WHITE, size=images.shape, dtype=np.uint8)
    return (draws < images).astype(np.uint8)


def binary_images(images: np.ndarray, dynamic: bool) -> np.ndarray:
    """Returns images to evaluate on: grey levels are drawn once, always alike.

    Args:
      images: `[N, D]` uint8.
      dynamic: whether they are grey levels.
    """
    if not dynamic:
        return images
    return binarize(images, np.random.default_rng(0))


def binarize_once(data: ImageDataset, seed: int) -> ImageDataset:
    """Returns `data` with every grey level drawn once, by `seed`.

    A split's draws depend on `(seed, which split)`, not on the other splits.

    Args:
      data: grey levels, `dynamic=True`.
      seed: non-negative integer.

    Returns:
      The same images, 0 or 1, `dynamic=False`.
    """
    train, valid, test = (
        binarize(images, np.random.default_rng((seed, split)))
        for split, images in enumerate((data.train, data.valid, data.test))
    )
    return data._replace(train=train, valid=valid, test=test, dynamic=False)
