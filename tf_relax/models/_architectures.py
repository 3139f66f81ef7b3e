"""Encoders and decoders of the paper's one-layer models."""

from collections.abc import Sequence

import keras

from tf_relax._names import unknown

# Widths of the hidden tanh layers, in the encoder and in the decoder.
_HIDDEN: dict[str, tuple[int, ...]] = {
    "linear1": (),
    "nonlinear": (200, 200),
}


def architectures() -> list[str]:
    """Returns the names that `build` knows, sorted."""
    return sorted(_HIDDEN)


def build(
    name: str, num_pixels: int, num_latents: int, seed: int
) -> tuple[keras.Model, keras.Model]:
    """Returns an encoder and a decoder, initialised by `seed`.

    Args:
      name: "linear1", one affine map each way, or "nonlinear", two hidden
        layers of 200 tanh units each way.
      num_pixels: size of a flat image.
      num_latents: size of the stochastic layer.
      seed: of the initial weights.

    Raises:
      ValueError: if the name is unknown; names the closest one.
    """
    if name not in _HIDDEN:
        raise ValueError(unknown("architecture", name, _HIDDEN))
    hidden = _HIDDEN[name]
    encoder = _perceptron("encoder", num_pixels, hidden, num_latents, seed)
    decoder = _perceptron("decoder", num_latents, hidden, num_pixels, seed + 1)
    return encoder, decoder


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
