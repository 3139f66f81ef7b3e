"""Pictures of runs."""

from collections.abc import Mapping, Sequence
import pathlib
from typing import Any

import numpy as np

from tf_relax._pictures import figure
from tf_relax._pictures import plain_logarithmic
from tf_relax._pictures import save

__all__ = [
    "draw_bands",
    "draw_curves",
    "draw_images",
    "draw_returns",
    "figure",
    "plain_logarithmic",
    "save",
]


def draw_curves(
    path: pathlib.Path, rows: Sequence[Mapping[str, Any]], title: str
) -> None:
    """Draws the ELBO of a run against steps and against seconds.

    Args:
      path: of the PNG.
      rows: of `metrics.csv`.
      title: above the picture.
    """
    made = figure(1, 3, 13, 3.8)
    if made is None or not rows:
        return
    drawing, axes = made
    drawing.suptitle(title)
    for axis, x in zip(axes[0], ("step", "seconds", "step"), strict=True):
        axis.set_xlabel("training seconds" if x == "seconds" else "step")
        axis.grid(alpha=0.3)
    for axis, x in zip(axes[0], ("step", "seconds"), strict=False):
        _line(axis, rows, x, "elbo", "training")
        _line(axis, rows, x, "val_elbo", "validation")
        axis.set_ylabel("ELBO (nats)")
        values = [*_column(rows, "elbo"), *_column(rows, "val_elbo")]
        values = [x for x in values if np.isfinite(x)]
        lowest = max(min(values), max(values) - 60.0)
        axis.set_ylim(bottom=lowest - 0.05 * (max(values) - lowest) - 0.1)
        axis.legend(frameon=False)
    _line(axes[0][2], rows, "step", "val_gradient_variance", "")
    axes[0][2].set_yscale("log")
    axes[0][2].set_ylabel("variance of the logits' gradient")
    save(path, drawing)


def draw_images(
    path: pathlib.Path, panels: Mapping[str, np.ndarray], side: int
) -> None:
    """Draws panels of 8 x 8 images next to each other.

    Args:
      path: of the PNG.
      panels: title -> images, `[64, side * side]`, in [0, 1].
      side: of an image, in pixels.
    """
    made = figure(1, len(panels), 4.2 * len(panels), 4.5)
    if made is None:
        return
    drawing, axes = made
    for axis, (title, images) in zip(axes[0], panels.items(), strict=True):
        grid = np.pad(
            np.asarray(images, np.float32).reshape(8, 8, side, side),
            ((0, 0), (0, 0), (1, 1), (1, 1)),
            constant_values=0.5,
        )
        grid = grid.transpose(0, 2, 1, 3).reshape(8 * (side + 2), -1)
        axis.imshow(grid, cmap="gray", vmin=0, vmax=1)
        axis.set_title(title)
        axis.axis("off")
    save(path, drawing)


def draw_bands(
    path: pathlib.Path,
    curves: Mapping[str, Mapping[str, np.ndarray]],
    panels: Mapping[str, str],
    title: str = "",
) -> None:
    """Draws curves of several seeds as means with bands of one deviation.

    Args:
      path: of the PNG.
      curves: label -> {"step": [T], quantity: [num_seeds, T]}.
      panels: quantity -> label of its axis; one panel each.
      title: above the picture.
    """
    made = figure(1, len(panels), 5.5 * len(panels), 3.8)
    if made is None:
        return
    drawing, axes = made
    if title:
        drawing.suptitle(title)
    for axis, (quantity, name) in zip(axes[0], panels.items(), strict=True):
        for label, curve in curves.items():
            if quantity not in curve:
                continue
            values, steps = curve[quantity], curve["step"]
            mean, deviation = values.mean(0), values.std(0)
            marker = "o" if len(steps) < 3 else None
            axis.plot(steps, mean, label=label, linewidth=1.2, marker=marker)
            axis.fill_between(
                steps, mean - deviation, mean + deviation, alpha=0.2
            )
        axis.set_xlabel("step")
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    save(path, drawing)


def draw_returns(
    path: pathlib.Path,
    means: Sequence[np.ndarray],
    title: str,
    threshold: float,
) -> None:
    """Draws the mean returns of several runs against episodes.

    Args:
      path: of the PNG.
      means: of each run, by episode; the thick line is their mean as far as
        all have come.
      title: above the picture.
      threshold: a line; none if it is infinite.
    """
    made = figure(1, 1, 7, 4)
    if made is None:
        return
    drawing, axes = made
    axis = axes[0][0]
    for run in means:
        axis.plot(np.arange(len(run)) + 1, run, color="C0", lw=0.6, alpha=0.4)
    shortest = min(len(run) for run in means)
    mean = np.mean([run[:shortest] for run in means], 0)
    axis.plot(np.arange(shortest) + 1, mean, color="C0")
    if np.isfinite(threshold):
        axis.axhline(threshold, color="k", ls=":", lw=0.9)
    axis.set_title(title)
    axis.set_xlabel("episode")
    axis.set_ylabel("mean return of the last episodes")
    axis.grid(alpha=0.3)
    save(path, drawing)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([float(row.get(name) or "nan") for row in rows])


def _line(
    axis: Any,
    rows: Sequence[Mapping[str, Any]],
    x: str,
    y: str,
    label: str,
) -> None:
    values = _column(rows, y)
    known = np.isfinite(values)  # Not every epoch was evaluated.
    marker = "o" if known.sum() < 3 else None
    axis.plot(
        _column(rows, x)[known], values[known], label=label, marker=marker
    )
