"""Pictures of measurements."""

from collections.abc import Mapping, Sequence
import math
import pathlib
from typing import Any

import numpy as np

from tf_relax import _pictures

Rows = Sequence[Mapping[str, Any]]

BIASED_FROM = 6.0  # Standard errors.
_CLOSE = 4.0  # Ratio of values for which a linear axis has more ticks.
_EXACT_BELOW = 1e-12  # Of a variance, in the largest: rounding.


def draw_comparison(
    path: pathlib.Path, rows: Rows, title: str = "", unit: str = "nats"
) -> None:
    """Draws variance times time of each estimator, the best on top.

    Beside it the variance alone, with bars of two standard errors, and the
    milliseconds, if there are times. Estimators with a `bias_z` above 6 are
    hollow; those without any variance are left out.

    Args:
      path: of the PNG.
      rows: of a CSV of `bin/compare.py`.
      title: above the picture.
      unit: of f.
    """
    rows = _measured(rows)
    panels = {
        "variance_time": f"variance x time ({unit}^2 ms)",
        "gradient_variance": f"variance of the gradient ({unit}^2)",
        "milliseconds": "time of a gradient (ms)",
    }
    panels = {
        key: label
        for key, label in panels.items()
        if any(math.isfinite(_number(row, key)) for row in rows)
    }
    made = _pictures.figure(
        1, len(panels) or 1, 1 + 4 * len(panels), 1.6 + 0.26 * len(rows)
    )
    if made is None or not rows:
        return
    drawing, (axes,) = made
    said = "bars: two standard errors"
    if any(_is_biased(row) for row in rows):
        said += f"; hollow: a bias of z > {BIASED_FROM:g} was seen"
    drawing.suptitle(f"{title} ({said})", fontsize="medium")
    for axis, (key, label) in zip(axes, panels.items(), strict=True):
        _points(axis, rows, key)
        axis.set_xlabel(label)
        _logarithmic(axis)
        axis.grid(alpha=0.3)
        axis.set_yticks(range(len(rows)), [""] * len(rows))
        axis.set_ylim(len(rows) - 0.4, -0.6)
    axes[0].set_yticks(range(len(rows)), [_label(row) for row in rows])
    _pictures.save(path, drawing)


def draw_history(path: pathlib.Path, rows: Rows) -> None:
    """Draws what `GradientDiagnostics` found against the steps.

    Args:
      path: of the PNG.
      rows: of its CSV.
    """
    made = _pictures.figure(1, 3, 14, 3.8)
    if made is None:
        return
    drawing, (axes,) = made
    panels = {
        "gradient_variance": "variance of the gradient (nats^2)",
        "signal_to_noise": "signal-to-noise ratio",
        "bias_z": "z-score of the bias",
    }
    for axis, (key, label) in zip(axes, panels.items(), strict=True):
        for name in dict.fromkeys(row["estimator"] for row in rows):
            own = [row for row in rows if row["estimator"] == name]
            axis.plot(
                [float(row["step"]) for row in own],
                [float(row.get(key) or "nan") for row in own],
                marker="o" if len(own) < 20 else None,
                markersize=3,
                label=name,
            )
        axis.set_xlabel("step")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[0].set_yscale("log")
    axes[2].axhspan(-2, 2, color="k", alpha=0.08)
    axes[0].legend(frameon=False, fontsize=8)
    _pictures.save(path, drawing)


def _measured(rows: Rows) -> list[Mapping[str, Any]]:
    """Returns the rows that have a variance, those that are exact left out."""
    found = [row for row in rows if row.get("gradient_variance")]
    largest = max((float(row["gradient_variance"]) for row in found), default=0)
    found = [
        row
        for row in found
        if float(row["gradient_variance"]) > _EXACT_BELOW * largest
    ]
    timed = any(row.get("variance_time") for row in found)
    key = "variance_time" if timed else "gradient_variance"
    return sorted(found, key=lambda row: _number(row, key))


def _points(axis: Any, rows: Rows, key: str) -> None:
    for place, row in enumerate(rows):
        value = _number(row, key)
        if not math.isfinite(value):
            continue
        biased = _is_biased(row)
        relative = (
            2
            * _number(row, "standard_error")
            / max(_number(row, "gradient_variance"), np.finfo(float).tiny)
        )
        # Of the time there is no error of the same kind.
        error = 0.0 if key == "milliseconds" else value * min(relative, 0.9)
        axis.errorbar(
            value,
            place,
            xerr=error,
            fmt="o",
            color="C3" if biased else "C0",
            markerfacecolor="white" if biased else "C0",
            markersize=5,
        )


def _logarithmic(axis: Any) -> None:
    """Makes an x-axis logarithmic, with numbers that do not collide.

    Where the values are close to each other it begins at 0 and is linear.
    """
    least, most = axis.dataLim.intervalx
    if most < _CLOSE * least:
        axis.set_xlim(left=0.0)
        return
    axis.set_xscale("log")
    axis.xaxis.set_minor_formatter("")
    left, right = axis.get_xlim()
    if right > 100.0 * left:  # The powers of ten will do.
        return
    ticks = (
        step * 10.0**power for power in range(-9, 10) for step in (1, 2, 5)
    )
    axis.set_xticks([tick for tick in ticks if left <= tick <= right])
    axis.xaxis.set_major_formatter("{x:g}")


def _is_biased(row: Mapping[str, Any]) -> bool:
    return _number(row, "bias_z") > BIASED_FROM


def _label(row: Mapping[str, Any]) -> str:
    return f"{row['estimator']}, {row['num_samples']}"


def _number(row: Mapping[str, Any], key: str) -> float:
    return float(row.get(key) or "nan")
