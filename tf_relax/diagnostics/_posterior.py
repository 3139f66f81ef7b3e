"""What a VAE's posterior does: KL and entropy of its units, active units."""

from collections.abc import Callable
import dataclasses
import os
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_relax import _output
from tf_relax.models import DiscreteVAE
from tf_relax.models._checks import check_images
from tf_relax.relaxations import fold_seed

_ACTIVE_FROM = 0.01  # Variance of a posterior mean, as of Burda et al.
_QUANTILES = (10, 50, 90)


@dataclasses.dataclass(frozen=True)
class LayerPosterior:
    """A layer's units, over images; each an array `[N]`.

    Attributes:
      kl: what a unit costs in the ELBO, in nats, the mean over images: its KL
        divergence from the prior, if the layer is the only one. Of one draw
        an image.
      entropy: of a unit given the layer below, in nats, the mean over images.
      spread: the variance over images of a unit's posterior mean, summed over
        its classes.
    """

    kl: np.ndarray
    entropy: np.ndarray
    spread: np.ndarray

    @property
    def active(self) -> np.ndarray:
        """Returns which units tell of the image: those that spread by 0.01."""
        return self.spread > _ACTIVE_FROM

    def row(self) -> dict[str, Any]:
        """Returns sums over the units, and quantiles of their KL, for a CSV."""
        quantiles = np.percentile(self.kl, _QUANTILES)
        return {
            "units": len(self.kl),
            "active_units": int(self.active.sum()),
            "kl": f"{self.kl.sum():.6g}",
            "posterior_entropy": f"{self.entropy.sum():.6g}",
        } | {
            f"kl_of_unit_q{q}": f"{x:.4g}"
            for q, x in zip(_QUANTILES, quantiles, strict=True)
        }


def posterior_of_layers(
    model: Any, images: Any, *, seed: Any = (0, 0), batch_size: int = 1000
) -> list[LayerPosterior]:
    """Returns what the posterior of each layer does, over images.

    Args:
      model: a `DiscreteVAE`.
      images: `[B, ...]`, in [0, 1].
      seed: stateless seed of the draws, two integers.
      batch_size: images at a time; the draws depend on it.

    Returns:
      One of each layer, the lowest first.

    Raises:
      TypeError: if the model is no `DiscreteVAE`.
      ValueError: if there are no images, or they are of another size or
        outside [0, 1].

    References:
      [1]: Burda et al. Importance weighted autoencoders. ICLR 2016, for
           active units.

    Examples:
      >>> import tf_relax as tfr
      >>> vae = tfr.models.DiscreteVAE("linear1", 4)
      >>> (layer,) = posterior_of_layers(vae, np.eye(784)[:100])
      >>> layer.kl.shape, layer.active.dtype
      ((4,), dtype('bool'))
    """
    return posterior_meter(model, False)(images, seed, batch_size)


def posterior_meter(
    model: Any, jit_compile: bool
) -> Callable[..., list[LayerPosterior]]:
    """Returns `posterior_of_layers` of a model, as a program to run often."""
    if not isinstance(model, DiscreteVAE):
        raise TypeError(
            "What the posterior does is known of a tf_relax.models.DiscreteVAE "
            f"only. Received: {type(model).__module__}.{type(model).__name__}."
        )

    def sums(images: tf.Tensor, seed: tf.Tensor) -> Any:
        return [
            [
                tf.reduce_sum(tf.cast(x, tf.float64), 0)
                for x in (*layer, tf.square(layer.mean))
            ]
            for layer in model.layer_terms(images, seed)
        ]

    program = tf.function(sums, jit_compile=jit_compile, autograph=False)

    def run(
        images: Any, seed: Any, batch_size: int = 1000
    ) -> list[LayerPosterior]:
        images = np.asarray(images)
        check_images(images, model.image_shape)
        parts = [
            program(
                tf.convert_to_tensor(images[start : start + batch_size]),
                fold_seed(seed, start),
            )
            for start in range(0, len(images), batch_size)
        ]
        totals = tf.nest.map_structure(
            lambda *x: np.sum(x, 0) / len(images), *parts
        )
        return [_layer(*layer) for layer in totals]

    return run


def _layer(
    mean: np.ndarray, entropy: np.ndarray, kl: np.ndarray, square: np.ndarray
) -> LayerPosterior:
    spread = square - np.square(mean)
    return LayerPosterior(
        kl, entropy, spread if spread.ndim == 1 else spread.sum(-1)
    )


class PosteriorDiagnostics(keras.callbacks.Callback):
    """Follows what the posterior does during `fit`.

    At the end of every `every`-th epoch, on the same images: sums over all
    units of KL and entropy, and how many units are active; see
    `LayerPosterior`. They go to `logs`, as `kl`, `posterior_entropy` and
    `active_units`, where the callbacks behind this one find them, and, a row
    a layer, to a CSV file. Training is not disturbed.

    Args:
      images: to measure at, `[B, ...]`, in [0, 1].
      every: epochs between two measurements.
      path: of the CSV file; None for none. Rows of later epochs than the
        first that is trained are dropped.
      seed: of the draws.

    Raises:
      TypeError: in `fit` of a model that is no `DiscreteVAE`.
      ValueError: if `every` is less than 1, or, in `fit`, as
        `posterior_of_layers` does.

    Examples:
      >>> import tf_relax as tfr
      >>> images = (np.arange(64 * 784) % 7 == 0).reshape(64, 784)
      >>> vae = tfr.models.DiscreteVAE("linear1", 4)
      >>> vae.compile("adam", jit_compile=False)
      >>> watch = PosteriorDiagnostics(images)
      >>> history = vae.fit(images, callbacks=[watch], verbose=0).history
      >>> sorted(history)
      ['active_units', 'elbo', 'kl', 'loss', 'posterior_entropy']
    """

    def __init__(
        self,
        images: Any,
        *,
        every: int = 1,
        path: str | os.PathLike[str] | None = None,
        seed: int = 0,
    ) -> None:
        """See the class."""
        super().__init__()
        if every < 1:
            raise ValueError(
                f"`every` must be at least 1. Received: every={every}."
            )
        self._images = images
        self._every = every
        self._path = None if path is None else pathlib.Path(path)
        self._seed = seed
        self._begun = False
        self.rows: list[dict[str, Any]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._meter = posterior_meter(self.model, bool(self.model.jit_compile))
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if not self._begun and self._path is not None:
            self.rows = _output.rows_until(self._path, epoch)
        self._begun = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if (epoch + 1) % self._every:
            return
        found = self._meter(self._images, (self._seed, epoch))
        if logs is not None:
            logs["kl"] = float(sum(x.kl.sum() for x in found))
            logs["posterior_entropy"] = float(
                sum(x.entropy.sum() for x in found)
            )
            logs["active_units"] = int(sum(x.active.sum() for x in found))
        at = {"step": int(self.model.step), "epoch": epoch + 1}
        self.rows += rows_of_layers(at, found)
        if self._path is not None:
            _output.write_csv(self._path, self.rows)


def rows_of_layers(
    at: dict[str, Any], layers: list[LayerPosterior]
) -> list[dict[str, Any]]:
    """Returns a row for each layer, the lowest numbered 1."""
    return [
        at | {"layer": index} | layer.row()
        for index, layer in enumerate(layers, start=1)
    ]
