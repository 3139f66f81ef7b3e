"""Axes whose size must be known when a graph is made."""

from typing import Any


def known_sizes(sizes: Any, user: str) -> list[int]:
    """Returns the sizes of axes as integers.

    Args:
      sizes: of a `tf.TensorShape`, or integers and None.
      user: what needs them, for the error.

    Raises:
      ValueError: if one is unknown.
    """
    sizes = list(sizes)
    if None in sizes:
        raise ValueError(
            f"{user} must know the sizes of these axes when a graph is made; "
            "only a batch may be of unknown size. Received: "
            f"{tuple(sizes)}. Give the distribution's parameters a shape, by "
            "`tf.ensure_shape` or in the `input_signature`."
        )
    return sizes
