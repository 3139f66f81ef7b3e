"""Sums, products and reductions of gradients kept by parameter name."""

from typing import Any

import tensorflow as tf

from tf_relax.estimators._evaluate import expand_like
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


def scale(gradients: Gradients, factor: tf.Tensor) -> Gradients:
    """Multiplies gradients by one number an example."""
    return {
        name: tf.ensure_shape(
            expand_like(factor, gradient) * gradient, gradient.shape
        )
        for name, gradient in gradients.items()
    }


def add(first: Gradients, second: Gradients) -> Gradients:
    """Adds gradients by name."""
    return {name: first[name] + second[name] for name in first}


def subtract(first: Gradients, second: Gradients) -> Gradients:
    """Subtracts gradients by name."""
    return {name: first[name] - second[name] for name in first}


def mean_of(value: tf.Tensor, draw: Draw) -> tf.Tensor:
    """Returns the mean of f(b) over the samples of the draw."""
    if draw.num_samples == 1:
        return value
    if draw.weights is None:
        return tf.reduce_mean(value, 0)
    return tf.reduce_sum(tf.cast(draw.weights, value.dtype) * value, 0)


def mean_over_samples(gradients: Gradients, draw: Draw) -> Gradients:
    """Averages the products over the leading axis of samples."""
    if draw.weights is None:
        reduce = tf.reduce_mean
    else:
        reduce = tf.reduce_sum
        gradients = scale(gradients, draw.weights)
    return {
        name: reduce(gradient, axis=0) for name, gradient in gradients.items()
    }


def share_of_samples(value: tf.Tensor, draw: Draw) -> tf.Tensor:
    """Returns what each sample counts in the mean, in f(b)'s shape."""
    if draw.weights is None:
        return tf.ones_like(value) / draw.num_samples
    return draw.weights


def sum_within_examples(
    gradients: Gradients, parameters: dict[str, Any], value: tf.Tensor
) -> Gradients:
    """Sums over the units of an example that share a parameter.

    Args:
      gradients: `[B..., E...]` each.
      parameters: of the shapes that the user gave, broadcastable to these.
      value: `f(b)`, `[B...]`; its rank says where an example begins.
    """
    first = value.shape.rank
    if first is None:  # A Python f in graph mode.
        first = tf.rank(value)
    return {
        name: _sum_broadcast(gradient, name, parameters, first)
        for name, gradient in gradients.items()
    }


def reduce_to(gradients: Gradients, parameters: dict[str, Any]) -> Gradients:
    """Sums the examples' gradients to the shapes of the parameters."""
    return {
        name: tf.reshape(
            _sum_broadcast(gradient, name, parameters, 0),
            tf.shape(parameters[name]),
        )
        for name, gradient in gradients.items()
    }


def squared_norm(gradients: Gradients, value: tf.Tensor) -> tf.Tensor:
    """Returns `||g_b||^2` of each example, in the shape of `value`."""
    return sum(
        sum_after(tf.square(gradient), value) for gradient in gradients.values()
    )


def sum_after(x: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Sums `x` over the axes that `value` does not have."""
    return tf.reduce_sum(x, tf.range(tf.rank(value), tf.rank(x)))


def _sum_broadcast(
    gradient: tf.Tensor, name: str, parameters: dict[str, Any], first_axis: Any
) -> tf.Tensor:
    """Sums over axes from `first_axis` on where the parameter has size 1."""
    parameter, rank = parameters[name], gradient.shape.rank
    sizes = [1] * (rank - parameter.shape.rank) + parameter.shape.as_list()
    if None in sizes and len(parameters) > 1:
        # What was broadcast along with another is known at run time only.
        axes = _axes_of_size_one(gradient, parameter, first_axis)
        return tf.reduce_sum(gradient, axes, keepdims=True)
    axes = [
        axis
        for axis in range(rank)
        if sizes[axis] == 1 and gradient.shape[axis] != 1
    ]
    if isinstance(first_axis, int):
        axes = [axis for axis in axes if axis >= first_axis]
        if not axes:
            return gradient
    else:
        axes = tf.constant(axes, tf.int32)
        axes = tf.boolean_mask(axes, axes >= first_axis)
    return tf.reduce_sum(gradient, axes, keepdims=True)


def _axes_of_size_one(
    gradient: tf.Tensor, parameter: tf.Tensor, first_axis: Any
) -> tf.Tensor:
    """Returns the axes from `first_axis` on where the parameter has size 1."""
    whole = tf.shape(gradient)
    missing = tf.ones([gradient.shape.rank - parameter.shape.rank], tf.int32)
    own = tf.concat([missing, tf.shape(parameter)], 0)
    own = tf.concat([whole[:first_axis], own[first_axis:]], 0)
    # Constants to XLA, which has no axes that are found by `tf.where`.
    return tf.raw_ops.BroadcastGradientArgs(s0=own, s1=whole).r0
