"""Variables of several models as one with a leading axis of replicas."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf


class Stack:
    """Variables of several models, as one with a leading axis.

    Args:
      of_models: the same Keras variables of each model.
    """

    def __init__(self, of_models: Sequence[Sequence[Any]]) -> None:
        """See the class."""
        self.variables = list(of_models[0])
        self.stacked = [
            tf.Variable(np.stack([v.numpy() for v in same]), name="replicas")
            for same in zip(*of_models, strict=True)
        ]

    def __add__(self, other: "Stack") -> "Stack":
        """Returns both, one after the other; the variables are the same."""
        both = Stack([[]])
        both.variables = [*self.variables, *other.variables]
        both.stacked = [*self.stacked, *other.stacked]
        return both
