"""Enumeration: the exact gradient, as a sum over all joint outcomes."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._outcomes import joint_outcomes
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("enumeration")
class Enumeration(Estimator):
    """The exact gradient, for few discrete units.

        g = sum_b p(b) f(b) d log p(b)

    over all joint outcomes b of an example: `2**D` evaluations of `f` for D
    Bernoulli units, `C**D` for D units of C classes, at most 65,536. They are
    the "samples", weighted by p(b): the value is E[f(b)], and what f uses
    gets its exact gradient as well. `num_samples` is of no effect. No
    variance, no bias, no derivative of `f`.

    Args:
      event_ndims: how many trailing axes of b are one joint draw: those that
        f sums away, and an axis of classes. 1 for f of `[B, D]` Bernoulli or
        `[B, C]` one-hot samples, 2 for `[B, D, C]`.

    References:
      The definition of an expectation; there is no paper to cite.

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=[0.0, 0.0])
      >>> estimate = Enumeration().estimate(
      ...     lambda b: b[..., 0] * b[..., 1], q, seed=(0, 0))
      >>> estimate.gradients["logits"].numpy()
      array([0.125, 0.125], dtype=float32)
    """

    needs = RelaxedDraw
    couples = True

    def __init__(self, event_ndims: int = 1) -> None:
        """See the class."""
        self.event_ndims = event_ndims

    def redraw(self, draw: RelaxedDraw, seed: tf.Tensor) -> Draw:
        """Returns all outcomes, weighted by their probabilities."""
        del seed
        event_ndims = max(self.event_ndims, draw.event_ndims)
        table, log_probs = joint_outcomes(draw, event_ndims)
        num_outcomes = table.shape[0]
        if num_outcomes == 1:  # A certain outcome is what was drawn.
            return draw
        ones = [1] * (draw.mean.shape.rank - event_ndims)
        sample = tf.broadcast_to(
            tf.reshape(table, [num_outcomes, *ones, *table.shape[1:]]),
            tf.concat([[num_outcomes], tf.shape(draw.mean)], 0),
        )
        outcomes = draw.at(sample, num_outcomes, weights=tf.exp(log_probs))
        return dataclasses.replace(outcomes, event_ndims=event_ndims)

    def gradient(
        self, draw: Draw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        return _algebra.scale(draw.score, value)

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"event_ndims": self.event_ndims}
