"""Exact expectations and their gradients, by summing over all outcomes."""

from collections.abc import Callable
import itertools
import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

_MOST_OUTCOMES = 2**16


def exact_gradient(
    distribution: Any, f: Callable[[tf.Tensor], Any], atoms: Any = None
) -> dict[str, np.ndarray]:
    """Returns the gradient of `E[f(b)]`, summed over the batch.

        d / d parameter  sum_b p(b) f(b)

    over all joint outcomes b of the units of one example: `2**D` for D
    Bernoulli units, `K**N` for N one-hot units of K classes. The derivative
    is TensorFlow's, through TFP's `log_prob` and through `f`, so that it also
    holds where `f` depends on the parameters.

    Args:
      distribution: a `Bernoulli` or `OneHotCategorical` of
        `tf_relax.distributions`, or an `Independent` of them.
      f: `[..., E...] -> [...]`. It is given one more leading axis, the
        outcomes.
      atoms: the outcomes of a unit of another distribution, with a `log_prob`
        and `given_parameters`: `[A]`, or `[A, E]` of units with an axis.

    Returns:
      Gradients by the names of the parameters that the user gave.

    Raises:
      TypeError: if the distribution is not one of these, without `atoms`.
      ValueError: if there are more than 65,536 joint outcomes.

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=[0.0, 0.0])
      >>> gradients = exact_gradient(q, lambda b: b[..., 0] * b[..., 1])
      >>> gradients["logits"].round(3).tolist()
      [0.125, 0.125]
    """
    parameters = distribution.given_parameters()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(parameters)
        total = tf.reduce_sum(_expectation(distribution, f, atoms))
    gradients = tape.gradient(
        total, parameters, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return {name: gradient.numpy() for name, gradient in gradients.items()}


def exact_expectation(
    distribution: Any, f: Callable[[tf.Tensor], Any], atoms: Any = None
) -> np.ndarray:
    """Returns `E[f(b)]` of each example. See `exact_gradient`.

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.OneHotCategorical(probs=[0.25, 0.75])
      >>> round(float(exact_expectation(q, lambda b: b[..., 1])), 3)
      0.75
    """
    return np.asarray(_expectation(distribution, f, atoms))


def _expectation(
    distribution: Any, f: Callable[[tf.Tensor], Any], atoms: Any
) -> tf.Tensor:
    atoms = _atoms(distribution) if atoms is None else np.asarray(atoms)
    shape = [*distribution.batch_shape, *distribution.event_shape]
    # One possible outcome shows which axes f keeps: those are the examples.
    one = tf.constant(np.broadcast_to(atoms[0], shape), distribution.dtype)
    batch_ndims = tf.convert_to_tensor(f(one)).shape.rank
    outcomes = tf.constant(
        _outcomes(atoms, shape, batch_ndims), distribution.dtype
    )
    log_p = distribution.log_prob(outcomes)
    units = range(1 + batch_ndims, log_p.shape.rank)
    log_p = tf.reduce_sum(log_p, list(units))
    value = tf.cast(tf.convert_to_tensor(f(outcomes)), log_p.dtype)
    return tf.reduce_sum(tf.exp(log_p) * value, axis=0)


def _atoms(distribution: Any) -> np.ndarray:
    """Returns the outcomes of one unit, `[2]` or `[K, K]`."""
    while isinstance(distribution, tfd.Independent):
        distribution = distribution.distribution
    if isinstance(distribution, tfd.Bernoulli):
        return np.array([0.0, 1.0])
    if isinstance(distribution, tfd.OneHotCategorical):
        return np.eye(distribution.event_shape[-1])
    raise TypeError(
        "The exact gradient needs Bernoulli or OneHotCategorical units. "
        f"Received: {type(distribution).__name__}."
    )


def _outcomes(
    atoms: np.ndarray, shape: list[int], batch_ndims: int
) -> np.ndarray:
    """Returns all joint outcomes of an example, `[S, *shape]`."""
    units = shape[batch_ndims : len(shape) - (atoms.ndim - 1)]
    num_units = math.prod(units)
    if len(atoms) ** num_units > _MOST_OUTCOMES:
        raise ValueError(
            f"An example must have at most {_MOST_OUTCOMES} joint outcomes. "
            f"Received: {len(atoms)}**{num_units} of them. Use fewer units."
        )
    choices = itertools.product(range(len(atoms)), repeat=num_units)
    index = np.array(list(choices), int).reshape(
        [-1, *(1,) * batch_ndims, *units]
    )
    outcomes = atoms[index]
    return np.broadcast_to(outcomes, [len(outcomes), *shape])
