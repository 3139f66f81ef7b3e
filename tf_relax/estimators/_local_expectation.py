"""Local expectation: each unit summed out, given the sample of the others."""

from typing import Any

import tensorflow as tf

from tf_relax.control_variates import LayerFunction
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import evaluate
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import RelaxedDraw


@register("local_expectation")
class LocalExpectation(Estimator):
    """The local expectation gradient for discrete b.

        g_i = sum_a p(b_i = a) d log p(b_i = a) f(b with b_i = a)

    over all outcomes a of unit i, the other units as they were drawn; for a
    Bernoulli, `p (1 - p) (f(b with b_i = 1) - f(b with b_i = 0))`. Unbiased
    for every `f`, of which no derivative is taken. Exact for a single unit.
    D + 1 evaluations of `f` a sample for D Bernoulli units, `D (C - 1) + 1`
    for D units of C classes: one after another, each of the sample's shape.

    References:
      [1]: Titsias, Lazaro-Gredilla. Local expectation gradients for black box
           variational inference. NeurIPS 2015.
           https://arxiv.org/abs/1503.01494

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=[0.0])
      >>> f = lambda b: tf.reduce_sum((b - 0.25) ** 2, -1)
      >>> estimate = LocalExpectation().estimate(f, q, seed=(0, 0))
      >>> estimate.gradients["logits"].numpy()  # 1/4 (9/16 - 1/16).
      array([0.125], dtype=float32)
    """

    needs = RelaxedDraw

    def bind(
        self,
        distribution: Any,
        draw: Draw,
        f: ScalarFn,
        context: Any = None,
    ) -> ScalarFn:
        """Returns f of hard samples; it stands in for a control variate."""
        del context
        f = f.hard if isinstance(f, LayerFunction) else f

        def hard(sample: tf.Tensor) -> tf.Tensor:
            return evaluate(f, [tf.cast(sample, distribution.dtype)], draw)

        return hard

    def gradient(
        self, draw: RelaxedDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        total = tf.zeros_like(draw.sample)
        for number in range(1, draw.atoms().shape[0]):
            other = draw.other(number)
            difference = _differences(draw, other, value, control_variate)
            p = tf.exp(draw.log_prob(other))
            p = p[(...,) + (tf.newaxis,) * draw.unit_ndims]
            # The outcome at hand would have a difference of 0.
            total += difference * p * (other - draw.mean)
        return {"logits": tf.ensure_shape(total, draw.sample.shape)}


def _differences(
    draw: RelaxedDraw, other: tf.Tensor, value: tf.Tensor, f: ScalarFn
) -> tf.Tensor:
    """Returns `f(b with b_i = other_i) - f(b)` for every unit i.

    In the shape of b, but for an axis of classes, which has size 1.
    """
    sample = draw.sample
    units = tf.shape(sample)[tf.rank(value) : tf.rank(sample) - draw.unit_ndims]
    axes = tf.concat([units, tf.ones([draw.unit_ndims], tf.int32)], 0)
    num_units = tf.reduce_prod(units)

    def difference(index: tf.Tensor) -> tf.Tensor:
        unit = tf.one_hot(index, num_units, dtype=sample.dtype)
        changed = tf.reshape(unit, axes) * (other - sample)
        return f(sample + changed) - value

    # In a loop: f is given b's shape, and memory stays what it is.
    found = tf.map_fn(
        difference, tf.range(num_units), fn_output_signature=value.dtype
    )
    units_last = tf.transpose(found, tf.roll(tf.range(tf.rank(found)), -1, 0))
    return tf.reshape(units_last, tf.concat([tf.shape(value), axes], 0))
