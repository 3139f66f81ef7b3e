"""How the cost of a step grows: with latents, batch, samples and layers."""

from collections.abc import Callable, Mapping
import pathlib
import re
from typing import Any

import numpy as np

from tf_relax.experiments import _files
from tf_relax.experiments import _plots


def _layers(row: Mapping[str, str]) -> float:
    return float(re.sub(r"\D", "", row["architecture"]))


# Name of the CSV file -> label of the axis, and what is on it.
_AXES: dict[str, tuple[str, Callable[[Mapping[str, str]], float]]] = {
    "latents": ("latents a layer", lambda row: float(row["num_latents"])),
    "batch": ("images a step", lambda row: float(row["batch_size"])),
    "samples": ("samples an image", lambda row: float(row["num_samples"])),
    "layers": ("stochastic layers", _layers),
}


def draw_growth(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    """Draws `growth.png`: milliseconds a step against each size.

    Args:
      results: the folder of `growth_latents.csv` and the like, written by
        benchmarks; those that are missing are left out.
      out: the folder of the picture.
    """
    found = {
        name: _files.read_csv(results / f"growth_{name}.csv") for name in _AXES
    }
    found = {name: rows for name, rows in found.items() if rows}
    if not found:
        return []
    made = _plots.figure(1, len(found), 4.2 * len(found), 3.8)
    if made is None:
        return []
    drawing, axes = made
    for axis, (name, rows) in zip(axes[0], found.items(), strict=True):
        label, size = _AXES[name]
        _panel(axis, rows, size)
        axis.set_xlabel(label)
        axis.grid(alpha=0.3, which="both")
    axes[0][0].set_ylabel("milliseconds a step")
    axes[0][0].legend(frameon=False)
    _plots.save(out / "growth.png", drawing)
    return [out / "growth.png"]


def _panel(
    axis: Any,
    rows: list[dict[str, str]],
    size: Callable[[Mapping[str, str]], float],
) -> None:
    """Draws a line an estimator, and one of slope 1 from the first point."""
    for estimator in dict.fromkeys(row["estimator"] for row in rows):
        own = [row for row in rows if row["estimator"] == estimator]
        x = np.array([size(row) for row in own])
        axis.plot(
            x, [float(row["median_ms"]) for row in own], "o-", label=estimator
        )
    sizes = np.array(sorted({size(row) for row in rows}))
    last = max(float(row["median_ms"]) for row in rows)
    axis.plot(sizes, last * sizes / sizes[-1], "k:", lw=0.9, label="linear")
    _plots.plain_logarithmic(axis.xaxis)
    _plots.plain_logarithmic(axis.yaxis)
