"""Sizes of axes: those that a graph must know, those that a user gives."""

import operator
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


def whole_sizes(name: str, sizes: Any, example: str) -> tuple[int, ...]:
    """Returns what a user gave as sizes of axes or widths of layers.

    Args:
      name: of the argument, for the error.
      sizes: whole numbers of at least 1.
      example: of such an argument, for the error.

    Raises:
      ValueError: if they are none.
    """
    try:
        found = tuple(operator.index(size) for size in sizes)
    except TypeError:
        found = (0,)
    if min(found, default=1) < 1:
        raise ValueError(
            f"`{name}` must be a sequence of whole numbers of at least 1, such "
            f"as {example}. Received: {name}={sizes!r}."
        )
    return found
