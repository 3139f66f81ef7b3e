"""Variance, signal-to-noise ratio and bias, from draws of a gradient."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_relax.diagnostics._draws import Draws

_FLOOR = 1e-4  # Of a coordinate's variance, in the mean of them all.


class Bias(NamedTuple):
    """What `bias` returns."""

    z: float  # Standard normal without a bias; large and positive with one.
    relative: float  # Norm of the bias, in norms of the reference's mean.


def variance(draws: Draws) -> tuple[float, float]:
    """Returns the total variance of one example's gradient, and its error.

    It is the trace of the covariance, mean over the examples, in squared
    units of f (nats^2 of an ELBO) by squared units of the parameters. The
    standard error is that of the draws; the examples are given.
    """
    x = draws.variances
    error = np.sqrt(x.var(0, ddof=1).mean() / x.size)
    return float(x.mean()), float(error)


def signal_to_noise(draws: Draws) -> float:
    """Returns `||E g|| / sqrt(tr Cov g)` of the batch, without unit.

    Norm and trace are of all examples' gradients as one vector. The squared
    norm is the product of the means of two halves of the draws, which has no
    bias; where that is negative, the ratio is 0. It is infinite where nothing
    varies.
    """
    first, second = (half.mean(0) for half in draws.halves)
    total = draws.variances.mean(0).sum()
    if total == 0.0:
        return float("inf")
    return float(np.sqrt(max(0.0, first @ second) / total))


def bias(draws: Draws, reference: Draws) -> Bias:
    """Returns whether two means differ, by a test of one projection.

    The first half of both draws chooses the direction w: the difference of
    their means, each coordinate divided by its variance. The second half,
    which is independent of it, is projected on it, and the difference of the
    projected means is tested by Welch's t, reported as the standard normal
    number of the same probability. So z is standard normal if there is no
    bias, for any number of parameters and any covariance, as far as means of
    blocks of draws are normal. A bias makes it positive.

    Args:
      draws: of the estimator.
      reference: of one without bias; its own error counts.
    """
    (x_1, x_2), (y_1, y_2) = draws.halves, reference.halves
    difference = x_1.mean(0) - y_1.mean(0)
    spread = _variance_of_mean(x_1) + _variance_of_mean(y_1)
    # Some coordinates may not have varied yet.
    least = _FLOOR * spread.mean() + _tiny(reference)
    direction = difference / (spread + least)
    shift = x_2.mean(0) - y_2.mean(0)
    own = _variance_of_mean(x_2 @ direction)
    other = _variance_of_mean(y_2 @ direction)
    rounding = _rounding(reference) * np.abs(direction).sum()
    error = np.sqrt(own + other + rounding**2)
    if error == 0.0:  # The means are the same number for number.
        return Bias(0.0, 0.0)
    t = float(shift @ direction / error)
    degrees = error**4 / (
        own**2 / (len(x_2) - 1) + other**2 / (len(y_2) - 1) + rounding**4
    )
    norm = max(0.0, float(y_1.mean(0) @ y_2.mean(0)))
    squared = max(0.0, float(difference @ shift))
    relative = np.sqrt(squared / norm) if norm else np.nan
    return Bias(_normal_score(t, degrees), float(relative))


def _variance_of_mean(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.var(0, ddof=1) / len(x))


def _rounding(reference: Draws) -> float:
    """Returns how far off the mean of float32 numbers may be."""
    return 4 * np.finfo(np.float32).eps * float(np.abs(reference.means).max())


def _tiny(reference: Draws) -> float:
    return max(_rounding(reference) ** 2, np.finfo(float).tiny)


def _normal_score(t: float, degrees: float) -> float:
    """Returns the standard normal number as probable as Student's t."""
    tail = 0.5 * tf.math.betainc(
        tf.constant(0.5 * degrees, tf.float64),
        tf.constant(0.5, tf.float64),
        tf.constant(degrees / (degrees + t * t), tf.float64),
    )
    # Beyond the smallest double a probability is 0, its score not a number.
    tail = tf.maximum(tail, np.finfo(np.float64).tiny)
    return float(np.sign(t)) * -float(tf.math.ndtri(tail))
