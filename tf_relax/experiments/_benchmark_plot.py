"""Milliseconds a step of every estimator, as one picture."""

from collections.abc import Mapping, Sequence
import pathlib
from typing import Any

import numpy as np

from tf_relax.experiments import _files
from tf_relax.experiments import _plots

_INCHES_A_ROW = 0.28
_LEGEND_ROWS = 2


def grid_rows(results: pathlib.Path) -> list[dict[str, str]]:
    """Returns the rows of all benchmarks in `results/grid/timed_*.csv`."""
    return [
        row
        for path in sorted((results / "grid").glob("timed_*.csv"))
        for row in _files.read_csv(path)
    ]


def draw_grid(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    """Draws `grid.png`: every benchmark of `results/grid/` in one picture.

    Args:
      results: the folder of `grid/timed_*.csv`.
      out: the folder of the picture.
    """
    rows = grid_rows(results)
    if not rows:
        return []
    draw(out / "grid.png", rows)
    return [out / "grid.png"]


def draw(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draws a panel an architecture, a line an estimator, the cheapest on top.

    Args:
      path: of the PNG.
      rows: of the CSV of a benchmark. The colour is the batch size; hollow
        marks are calls of a single step, and bars are the floors.
    """
    architectures = list(dict.fromkeys(row["architecture"] for row in rows))
    estimators = sorted(
        {str(row["estimator"]) for row in rows},
        key=lambda name: _typical_ms(rows, name),
        reverse=True,
    )
    sizes = sorted({int(row["batch_size"]) for row in rows})
    made = _plots.figure(
        1,
        len(architectures),
        1.5 + 4.0 * len(architectures),
        1.4 + _INCHES_A_ROW * (len(estimators) + _LEGEND_ROWS),
    )
    if made is None:
        return
    drawing, axes = made
    for axis, architecture in zip(axes[0], architectures, strict=True):
        own = [row for row in rows if row["architecture"] == architecture]
        for row in own:
            y = estimators.index(str(row["estimator"]))
            color = f"C{sizes.index(int(row['batch_size']))}"
            single = int(row["steps_per_call"]) == 1
            face = "none" if single else color
            axis.plot(
                float(row["median_ms"]), y, "o", color=color, mfc=face, ms=5
            )
            floor = float(row.get("floor_ms", "nan"))
            axis.plot(floor, y, "|", color=color, ms=9)
        _plots.plain_logarithmic(axis.xaxis)
        axis.set_yticks(range(len(estimators)), estimators)
        axis.set_ylim(-0.6, len(estimators) - 0.4 + _LEGEND_ROWS)
        axis.set_title(architecture)
        axis.set_xlabel("milliseconds a step")
        axis.grid(alpha=0.3, which="both", axis="x")
        axis.grid(alpha=0.3, axis="y")
    for index, size in enumerate(sizes):
        axes[0][-1].plot([], [], "o", color=f"C{index}", label=f"batch {size}")
    if "floor_ms" in rows[0]:
        axes[0][-1].plot([], [], "|", color="k", ms=9, label="floor")
    if any(int(row["steps_per_call"]) == 1 for row in rows):
        axes[0][-1].plot(
            [], [], "o", color="k", mfc="none", label="one step a call"
        )
    axes[0][-1].legend(
        frameon=False, fontsize="small", loc="upper center", ncols=2
    )
    _plots.save(path, drawing)


def _typical_ms(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """Returns the geometric mean over an estimator's cases."""
    own = [float(row["median_ms"]) for row in rows if row["estimator"] == name]
    return float(np.exp(np.mean(np.log(own))))
