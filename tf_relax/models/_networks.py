"""Networks between layers: samples of one in, logits of another out."""

from typing import Any

import keras
import tensorflow as tf


def at_least_float32() -> str:
    """Returns Keras' float type, but float32 for what is shorter."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


def listed(encoder: Any, decoder: Any) -> tuple[list[Any], list[Any]]:
    """Returns the user's encoders and decoders as lists, empty if none.

    Raises:
      ValueError: if there are not as many of the one as of the other.
    """

    def as_list(part: Any) -> list[Any]:
        if part is None:
            return []
        return list(part) if isinstance(part, list | tuple) else [part]

    encoders, decoders = as_list(encoder), as_list(decoder)
    for network in (*encoders, *decoders):
        if not getattr(network, "output_shape", None):
            raise ValueError(
                "Encoders and decoders must be built Keras models, with a "
                f"keras.Input. Received: {network!r}."
            )
    if len(encoders) != len(decoders):
        raise ValueError(
            "`encoder` and `decoder` go together, one of each a layer. "
            f"Received: encoder={encoder}, decoder={decoder}."
        )
    _check_sizes(encoders, decoders)
    return encoders, decoders


def _check_sizes(encoders: list[Any], decoders: list[Any]) -> None:
    """Raises a ValueError if the layers do not fit on each other."""
    sizes = [encoder.output_shape[-1] for encoder in encoders]
    fits = [
        ("decoder input", [d.input_shape[-1] for d in decoders], sizes),
        (
            "encoder input",
            [e.input_shape[-1] for e in encoders[1:]],
            sizes[:-1],
        ),
        (
            "decoder output",
            [d.output_shape[-1] for d in decoders[1:]],
            sizes[:-1],
        ),
    ]
    for what, found, expected in fits:
        if found != expected:
            raise ValueError(
                f"The layers have {sizes} units, by the encoders' outputs, so "
                f"the {what} sizes must be {expected}. Received: {found}."
            )


def logits_of(network: keras.Model, inputs: tf.Tensor) -> tf.Tensor:
    """Returns the logits of another layer, in float32 at least.

    Args:
      network: from `[N, D]` to `[N, ...]`.
      inputs: what it is given for b or relaxed b, `[..., D]`.

    Returns:
      `[..., ...]`: the leading axes of `inputs`, then the network's.
    """
    inputs = tf.convert_to_tensor(inputs)  # People have latents in NumPy.
    return _as_given(network(_flat(inputs)), inputs)


def logits_of_constant(network: keras.Model, inputs: tf.Tensor) -> tf.Tensor:
    """Returns the same, with no derivative by the network's weights."""
    weights = [tf.stop_gradient(v.value) for v in network.trainable_variables]
    others = [v.value for v in network.non_trainable_variables]
    # Another layer's sample is differentiated by, the weights are not.
    logits, _ = network.stateless_call(weights, others, _flat(inputs))
    return _as_given(logits, inputs)


def _flat(inputs: tf.Tensor) -> tf.Tensor:
    return tf.reshape(inputs, [-1, inputs.shape[-1]])


def _as_given(logits: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    shape = tf.concat([tf.shape(inputs)[:-1], tf.shape(logits)[1:]], 0)
    return tf.ensure_shape(
        tf.reshape(tf.cast(logits, at_least_float32()), shape),
        inputs.shape[:-1].concatenate(logits.shape[1:]),
    )
