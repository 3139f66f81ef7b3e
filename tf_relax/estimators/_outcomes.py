"""All joint outcomes of the units of one example."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_relax._shapes import known_sizes
from tf_relax.relaxations import RelaxedDraw

_MOST_OUTCOMES = 2**16


class JointOutcomes(NamedTuple):
    """M outcomes and their probabilities."""

    table: tf.Tensor  # [M, E...], of one example.
    log_probs: tf.Tensor  # [M, B...], in nats.


def joint_outcomes(draw: RelaxedDraw, event_ndims: int) -> JointOutcomes:
    """Returns every outcome of an example, `A**D` for D units.

    Args:
      draw: of a distribution whose samples share their parameters.
      event_ndims: how many trailing axes of b are one example.

    Raises:
      ValueError: if b has fewer axes, or there are too many outcomes.
    """
    shape = draw.mean.shape
    if shape.rank < event_ndims:
        raise ValueError(
            "`event_ndims` is how many trailing axes of b are one joint draw, "
            f"those that f sums away. Received: event_ndims={event_ndims}, "
            f"b.shape={shape}."
        )
    event = known_sizes(
        shape[shape.rank - event_ndims :], "Enumeration and UnorderedSet"
    )
    units = math.prod(event[: event_ndims - draw.unit_ndims])
    atoms = draw.atoms()
    num_outcomes = atoms.shape[0] ** units
    if num_outcomes > _MOST_OUTCOMES:
        raise ValueError(
            f"An example must have at most {_MOST_OUTCOMES} joint outcomes. "
            f"Received: {atoms.shape[0]}**{units} of them. Use "
            "LocalExpectation, or LeaveOneOut."
        )
    # [M, D], also of no units, which have one outcome.
    index = np.indices([atoms.shape[0]] * units).reshape(units, num_outcomes).T
    table = tf.reshape(tf.gather(atoms, index), [num_outcomes, *event])
    ones = [1] * (shape.rank - event_ndims)
    by_unit = draw.log_prob(tf.reshape(table, [num_outcomes, *ones, *event]))
    axes = range(1 + shape.rank - event_ndims, by_unit.shape.rank)
    return JointOutcomes(table, tf.reduce_sum(by_unit, list(axes)))
