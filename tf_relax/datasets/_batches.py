"""Batches for `model.fit` that a resumed run sees again, bit for bit."""

from typing import Any

import keras
import numpy as np

from tf_relax.datasets._image_dataset import binarize

_ORDER = (
    "`Batches` must be read in order, from 0, in each epoch; otherwise a "
    "resumed run would see other batches. Call model.fit(batches, "
    "shuffle=False) (it shuffles by its own seed) and leave out "
    "`steps_per_epoch`; for shorter epochs give it fewer images."
)


class Batches(keras.utils.PyDataset):
    """Feeds `model.fit` with images, in an order that `(seed, epoch)` fixes.

        rows(epoch)     = permutation drawn by (seed, epoch)
        batch(epoch, i) = images[rows(epoch)[i * batch_size:][:batch_size]]

    and, if `dynamic`, its pixels are drawn by (seed, epoch, i). So a run that
    resumes at epoch `e` with `start_epoch=e` sees what an uninterrupted one
    sees. `model.fit` gets `x` only: `[batch_size, D]` uint8 of 0 and 1.

    Keras must take the batches in order, so call

        model.fit(batches, shuffle=False)

    without `steps_per_epoch`. The default `shuffle=True` would reorder them by
    Python's global generator; with fewer `steps_per_epoch` than batches, Keras
    would go on with the old epoch where a resumed run starts the next one. Both
    are errors here.

    Examples:
      >>> import numpy as np
      >>> from tf_relax import datasets
      >>> images = np.eye(4, dtype=np.uint8)
      >>> batches = datasets.Batches(images, 2, seed=0, shuffle=False)
      >>> len(batches), batches[1].tolist()
      (2, [[0, 0, 1, 0], [0, 0, 0, 1]])
    """

    def __init__(
        self,
        images: np.ndarray,
        batch_size: int,
        *,
        seed: int,
        dynamic: bool = False,
        shuffle: bool = True,
        start_epoch: int = 0,
        drop_remainder: bool = True,
    ) -> None:
        """Initializes the batches.

        Args:
          images: `[N, D]` uint8; 0 and 1, or grey levels if `dynamic`.
          batch_size: images in a batch.
          seed: non-negative integer; of the permutations and the draws.
          dynamic: whether to draw the pixels from grey levels in each epoch.
            (For a fixed draw, say of a validation set, call `binarize`.)
          shuffle: whether each epoch has its own permutation.
          start_epoch: the first epoch, from 0: that of `initial_epoch` in
            `fit`. See also `follow`.
          drop_remainder: whether to leave out the last, smaller batch.

        Raises:
          ValueError: if an argument is out of range, or if `images` and
            `dynamic` contradict each other.
        """
        super().__init__()
        _check_images(images, dynamic)
        _check_batch_size(batch_size, len(images), drop_remainder)
        _check_not_negative(seed=seed, start_epoch=start_epoch)
        self._images = images
        self._batch_size = batch_size
        self._seed = seed
        self._dynamic = dynamic
        self._shuffle = shuffle
        self._drop_remainder = drop_remainder
        self._epoch = start_epoch
        self._rows = self._permutation(start_epoch)
        self._in_epoch = False
        self._last_index = -1  # The highest that Keras took in this epoch.

    @property
    def epoch(self) -> int:
        """The epoch, from 0, whose batches come next."""
        return self._epoch

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(len(self._images), self._batch_size)
        return whole + (rest > 0 and not self._drop_remainder)

    def __len__(self) -> int:
        """Returns the batches in an epoch."""
        return self.num_batches

    def __getitem__(self, index: int) -> np.ndarray:
        """Returns a batch of the present epoch, `[batch_size, D]` uint8.

        Args:
          index: which one, 0 to `len(self) - 1`.

        Raises:
          IndexError: if there is no such batch.
          ValueError: if Keras takes the batches in another order than 0, 1, ...
        """
        images = self._images[self.rows(index)]
        if self._dynamic:
            images = binarize(images, self._rng(self._epoch, 1 + index))
        return images

    def rows(self, index: int) -> np.ndarray:
        """Returns which images a batch has in this epoch, `[batch_size]`.

        For who has the images elsewhere, such as on a GPU.

        Args:
          index: see `__getitem__`.

        Raises:
          IndexError: if there is no such batch.
          ValueError: if they are taken in another order than 0, 1, ...
        """
        if not 0 <= index < len(self):
            raise IndexError(
                f"Batch {index} of {len(self)} (counted from 0) does not exist."
            )
        self._check_order(index)
        start = index * self._batch_size
        return self._rows[start : start + self._batch_size]

    def on_epoch_begin(self) -> None:
        """See `keras.utils.PyDataset.on_epoch_begin`."""
        self._in_epoch = True
        self._last_index = -1

    def on_epoch_end(self) -> None:
        """Goes to the next epoch, if one has begun.

        Keras calls this once more than there are epochs: `fit` and `evaluate`
        reset their data by it before they begin.

        Raises:
          ValueError: if Keras took no batch in this epoch.
        """
        if not self._in_epoch:
            return
        if self._last_index < 0:
            raise ValueError(_ORDER)
        self._in_epoch = False
        self._go_to(self._epoch + 1)

    def follow(self) -> keras.callbacks.Callback:
        """Returns a callback that takes the epoch from `fit`, not by counting.

        Needed where only `fit` knows it: after `BackupAndRestore` has resumed
        a run, after an epoch that was broken off, and under `tf.distribute`,
        where Keras opens an epoch in vain to build the model.

            model.fit(batches, shuffle=False, callbacks=[batches.follow()])
        """
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self._go_to(epoch)
        )

    def _go_to(self, epoch: int) -> None:
        self._epoch = epoch
        self._rows = self._permutation(epoch)

    def _permutation(self, epoch: int) -> np.ndarray:
        if not self._shuffle:
            return np.arange(len(self._images))
        return self._rng(epoch, 0).permutation(len(self._images))

    def _rng(self, epoch: int, stream: int) -> np.random.Generator:
        # Stream 0 is the permutation's, stream 1 + i that of batch i.
        return np.random.default_rng((self._seed, epoch, stream))

    def _check_order(self, index: int) -> None:
        # An iterator of Keras that was given up may still be reading ahead:
        # it can lift the mark, or fail unheard, but it cannot fail another.
        if not self._in_epoch:
            return
        if index > self._last_index + 1:
            raise ValueError(_ORDER)
        self._last_index = max(self._last_index, index)


def _check_images(images: Any, dynamic: bool) -> None:
    shape, dtype = np.shape(images), getattr(images, "dtype", type(images))
    if dtype != np.uint8 or len(shape) != 2:
        raise ValueError(
            "`images` must be a uint8 array [N, D]. "
            f"Received: dtype={dtype}, shape={shape}"
        )
    largest = images.max(initial=0)
    if dynamic != (largest > 1):
        raise ValueError(
            f"`dynamic` must be {not dynamic} for "
            f"{'binary images' if dynamic else 'grey levels'}. Received: "
            f"dynamic={dynamic}, images.max()={largest}"
        )


def _check_batch_size(
    batch_size: int, num_images: int, drop_remainder: bool
) -> None:
    if batch_size < 1 or (drop_remainder and batch_size > num_images):
        raise ValueError(
            "`batch_size` must be in 1..len(images), or above with "
            "drop_remainder=False. Received: "
            f"batch_size={batch_size}, len(images)={num_images}"
        )


def _check_not_negative(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 0:
            raise ValueError(
                f"`{name}` must be >= 0. Received: {name}={number}"
            )
