"""Encoders and decoders by name: the paper's, and a categorical one."""

from collections.abc import Sequence
import dataclasses

import keras

from tf_relax._names import unknown
from tf_relax.models._checks import check_whole


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What a model is made of.

    Attributes:
      num_layers: stochastic ones.
      hidden: widths of the tanh layers of every map.
      num_latents: units of each stochastic layer.
      num_classes: of a one-hot unit; 0 for Bernoulli units.
    """

    num_layers: int
    hidden: tuple[int, ...]
    num_latents: int = 200
    num_classes: int = 0

    @property
    def layer_size(self) -> int:
        """Returns how many logits a stochastic layer has."""
        return self.num_latents * max(1, self.num_classes)


_ARCHITECTURES = {
    "categorical": Architecture(1, (200, 200), 20, 10),
    **{f"linear{number}": Architecture(number, ()) for number in range(1, 5)},
    "nonlinear": Architecture(1, (200, 200)),
}


def architectures() -> list[str]:
    """Returns the names that `architecture` knows, sorted."""
    return sorted(_ARCHITECTURES)


def architecture(
    name: str, num_latents: int | None = None, num_classes: int | None = None
) -> Architecture:
    """Returns the architecture of that name.

    Args:
      name: "linear1", one affine map each way; "linear2", two stochastic
        layers with affine maps, and so on to "linear4"; "nonlinear", one
        stochastic layer with two hidden layers of 200 tanh units each way; all
        with 200 Bernoulli units a layer; or "categorical", as "nonlinear" with
        20 one-hot units of 10 classes.
      num_latents: units of each stochastic layer, if others.
      num_classes: of a unit, if others; 0 for Bernoulli units.

    Raises:
      ValueError: if the name is unknown, names the closest one; or
        `num_latents` is no whole number of at least 1.
    """
    if name not in _ARCHITECTURES:
        raise ValueError(unknown("architecture", name, _ARCHITECTURES))
    made_of = _ARCHITECTURES[name]
    if num_latents is not None:
        check_whole("num_latents", num_latents, 1)
        made_of = dataclasses.replace(made_of, num_latents=num_latents)
    if num_classes is not None:
        made_of = dataclasses.replace(made_of, num_classes=num_classes)
    return made_of


def build(
    made_of: Architecture, num_pixels: int, seed: int
) -> tuple[list[keras.Model], list[keras.Model]]:
    """Returns encoders and decoders, one a stochastic layer.

    Args:
      made_of: see `architecture`.
      num_pixels: size of a flat image.
      seed: of the initial weights.

    Returns:
      Encoders, from the layer below (or the image) to the logits of a layer,
      and decoders, from a layer to the logits of the one below.
    """
    sizes = [num_pixels, *[made_of.layer_size] * made_of.num_layers]
    encoders, decoders = [], []
    for layer in range(made_of.num_layers):
        below, above = sizes[layer : layer + 2]
        suffix = f"_{layer + 1}" if layer else ""
        own = seed + 5000 * layer
        hidden = made_of.hidden
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
