"""Encoders and decoders of the paper's models."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from tf_relax._names import unknown


class _Architecture(NamedTuple):
    num_layers: int  # Stochastic ones.
    hidden: tuple[int, ...]  # Widths of the tanh layers of every map.


_ARCHITECTURES = {
    "linear1": _Architecture(1, ()),
    "linear2": _Architecture(2, ()),
    "nonlinear": _Architecture(1, (200, 200)),
}


def architectures() -> list[str]:
    """Returns the names that `build` knows, sorted."""
    return sorted(_ARCHITECTURES)


def build(
    name: str, num_pixels: int, num_latents: int, seed: int
) -> tuple[list[keras.Model], list[keras.Model]]:
    """Returns encoders and decoders, one a stochastic layer.

    Args:
      name: "linear1", one affine map each way; "linear2", two stochastic
        layers with affine maps; or "nonlinear", one stochastic layer with
        two hidden layers of 200 tanh units each way.
      num_pixels: size of a flat image.
      num_latents: size of each stochastic layer.
      seed: of the initial weights.

    Returns:
      Encoders, from the layer below (or the image) to the logits of a layer,
      and decoders, from a layer to the logits of the one below.

    Raises:
      ValueError: if the name is unknown; names the closest one.
    """
    if name not in _ARCHITECTURES:
        raise ValueError(unknown("architecture", name, _ARCHITECTURES))
    num_layers, hidden = _ARCHITECTURES[name]
    sizes = [num_pixels, *[num_latents] * num_layers]
    encoders, decoders = [], []
    for layer in range(num_layers):
        below, above = sizes[layer : layer + 2]
        suffix = f"_{layer + 1}" if layer else ""
        own = seed + 5000 * layer
        encoders.append(
            _perceptron(f"encoder{suffix}", below, hidden, above, own)
        )
        decoders.append(
            _perceptron(f"decoder{suffix}", above, hidden, below, own + 1)
        )
    return encoders, decoders


def _perceptron(
    name: str, size_in: int, hidden: Sequence[int], size_out: int, seed: int
) -> keras.Model:
    # Glorot-uniform kernels and zero biases, TF1's defaults as in the
    # paper's code.
    widths = [*((w, "tanh") for w in hidden), (size_out, None)]
    return keras.Sequential(
        [
            keras.Input((size_in,)),
            *(
                keras.layers.Dense(
                    width,
                    activation,
                    kernel_initializer=keras.initializers.GlorotUniform(
                        1_000_003 * seed + i
                    ),
                )
                for i, (width, activation) in enumerate(widths)
            ),
        ],
        name=name,
    )
