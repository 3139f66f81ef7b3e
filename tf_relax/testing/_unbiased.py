"""A z-test of unbiasedness whose two error rates are known."""

from collections.abc import Mapping
import statistics
from typing import Any, NamedTuple

import numpy as np

# Rounding is no bias: errors up to so many units in the last place of the
# largest number at hand are counted as one standard error.
_ROUNDING = 16


class TooFewDrawsError(AssertionError):
    """The draws would not show a bias that matters."""


def assert_unbiased(
    draws: Any,
    exact: Any,
    *,
    false_fail_rate: float = 1e-6,
    num_tests: int = 1,
    detects: float = 0.5,
) -> float:
    """Asserts `E[draws] == exact` in every coordinate; returns the largest |z|.

    No tolerance is picked by hand. The critical value follows from
    `false_fail_rate`, shared among all coordinates of all tests (Bonferroni).
    A bias of `detects * norm(exact)` in one coordinate would be missed with at
    most the same probability; if the draws are too few for that, the test
    itself fails. Both rates hold as the mean of the draws is normal, so draw
    many: a hundred thousand, say, of bounded or exponential tails.

    Args:
      draws: independent draws of the estimate, `[N, ...]`, or such arrays by
        name.
      exact: their mean by theory, `[...]`, or such arrays by name.
      false_fail_rate: the probability that any of `num_tests` tests fails
        although its estimator is unbiased.
      num_tests: how many tests share that rate.
      detects: the bias that matters, as a part of the norm of `exact`.

    Raises:
      AssertionError: if the draws are biased or not finite.
      TooFewDrawsError: if they are too few; an `AssertionError` as well.
      ValueError: if the shapes disagree, or there are less than two draws.

    Examples:
      >>> rng = np.random.default_rng(0)
      >>> draws = rng.normal(loc=[1.0, -2.0], size=[10_000, 2])
      >>> assert_unbiased(draws, [1.0, -2.0]) < 5.0
      True
    """
    columns = _columns(draws, exact)
    critical = critical_z(
        columns.exact.size,
        false_fail_rate=false_fail_rate,
        num_tests=num_tests,
    )
    if not np.isfinite(columns.draws).all():
        bad = np.count_nonzero(~np.isfinite(columns.draws))
        raise AssertionError(f"{bad} of the draws' numbers are not finite.")
    _check_bias(columns, critical)
    _check_power(columns, critical, detects)
    return float(np.abs(_z_scores(columns)).max())


def z_scores(draws: Any, exact: Any) -> np.ndarray:
    """Returns how many standard errors the mean of the draws is off.

    The standard error is never less than the rounding of the draws' dtype, so
    that draws without variance have a z-score as well.

    Args:
      draws: `[N, ...]`, or such arrays by name.
      exact: `[...]`, or such arrays by name.

    Returns:
      One number for each coordinate, flat; arrays by name one after another.

    Raises:
      ValueError: if the shapes disagree, or there are less than two draws.

    Examples:
      >>> z_scores([[0.0], [2.0]], [0.0])
      array([1.])
      >>> z_scores([[3.0], [3.0]], [3.0])
      array([0.])
    """
    return _z_scores(_columns(draws, exact))


def critical_z(
    num_coordinates: int, *, false_fail_rate: float = 1e-6, num_tests: int = 1
) -> float:
    """Returns the |z| that an unbiased estimator exceeds at the given rate.

    Args:
      num_coordinates: of one test.
      false_fail_rate: of all coordinates of all tests together.
      num_tests: how many tests share the rate.

    Examples:
      >>> round(critical_z(1, false_fail_rate=0.05), 2)
      1.96
    """
    share = false_fail_rate / (2 * num_tests * num_coordinates)
    return -statistics.NormalDist().inv_cdf(share)


class _Columns(NamedTuple):
    """Draws and their exact mean, flat and in double precision."""

    draws: np.ndarray  # [N, C]
    exact: np.ndarray  # [C]
    eps: float  # Of the dtype that the draws came in.


def _columns(draws: Any, exact: Any) -> _Columns:
    if not isinstance(exact, Mapping):
        draws, exact = {"": draws}, {"": exact}
    flat_draws, flat_exact = [], []
    for name in exact:
        x, mean = np.asarray(draws[name]), np.asarray(exact[name])
        if x.ndim == 0 or x.shape[1:] != mean.shape or len(x) < 2:
            raise ValueError(
                "`draws` must be two or more draws of the shape of `exact`. "
                f"Received: draws.shape={x.shape}, exact.shape={mean.shape}"
                + (f" of {name!r}." if name else ".")
            )
        flat_draws.append(x.reshape(len(x), -1))
        flat_exact.append(mean.reshape(-1))
    x = np.concatenate(flat_draws, axis=1)
    single = np.issubdtype(x.dtype, np.floating) and x.dtype != np.float64
    return _Columns(
        x.astype(np.float64),
        np.concatenate(flat_exact).astype(np.float64),
        np.finfo(x.dtype if single else np.float64).eps,
    )


def _check_bias(columns: _Columns, critical: float) -> None:
    z = np.abs(_z_scores(columns))
    worst = int(np.argmax(z))
    if z[worst] > critical:
        draws, exact = columns.draws[:, worst], columns.exact[worst]
        raise AssertionError(
            f"Biased in {np.count_nonzero(z > critical)} of {z.size} "
            f"coordinates, most in number {worst}: the mean of {len(draws)} "
            f"draws is {draws.mean():.6g}, the exact value {exact:.6g}, "
            f"|z| = {z[worst]:.3g}, critical {critical:.3g}."
        )


def _check_power(columns: _Columns, critical: float, detects: float) -> None:
    resolution = 2.0 * critical * _standard_errors(columns).max()
    wanted = detects * np.linalg.norm(columns.exact)
    if resolution > wanted:
        more = (resolution / wanted) ** 2 if wanted > 0 else np.inf
        raise TooFewDrawsError(
            f"Too few: {len(columns.draws)} draws resolve a bias of "
            f"{resolution:.3g}, wanted {wanted:.3g}, which is {detects:.3g} "
            "of the norm of the exact gradient. "
            f"Draw {more:.1f} times as many, or raise `detects`."
        )


def _standard_errors(columns: _Columns) -> np.ndarray:
    draws, exact, eps = columns
    # NumPy subtracts the mean before it squares: sound where mean >> spread.
    spread = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    # Of all coordinates: one may be exactly 0, as a sum of others.
    largest = max(np.abs(draws).max(), np.abs(exact).max())
    rounding = np.maximum(_ROUNDING * eps * largest, np.finfo(float).tiny)
    return np.maximum(spread, rounding)


def _z_scores(columns: _Columns) -> np.ndarray:
    # In this order: a mean of many equal numbers has an error of rounding.
    error = (columns.draws - columns.exact).mean(axis=0)
    return error / _standard_errors(columns)
