"""Pictures of `results/study/`: ELBO and posterior of each cell."""

import pathlib
from typing import Any

import numpy as np

from tf_relax.experiments import _plots
from tf_relax.experiments._study_cells import cell_label
from tf_relax.experiments._study_cells import Method
from tf_relax.experiments._study_cells import study_cells

_PANELS = (
    ("epoch", "val_elbo", "ELBO, validation (nats)"),
    ("seconds", "val_elbo", "ELBO, validation (nats)"),
    ("epoch", "active_units", "active units"),
    ("epoch", "kl", "KL term (nats)"),
    ("epoch", "posterior_entropy", "entropy of the posterior (nats)"),
)
_COLOURS = (*(f"C{i}" for i in range(10)), "black")
_STYLES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))


def draw_study(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    """Draws a picture of each cell: means of the seeds at evaluations."""
    drawn = []
    for cell, methods in study_cells(results).items():
        made = _plots.figure(2, 3, 17, 9)
        if made is None:
            return []
        drawing, axes = made
        drawing.suptitle(cell_label(cell))
        looks = _looks(list(methods))
        panels = axes.flatten()
        for axis, (x, y, what) in zip(panels, _PANELS, strict=False):
            for method, seeds in methods.items():
                axis.plot(
                    seeds[0]["curves"][x],
                    np.mean([run["curves"][y] for run in seeds], 0),
                    label=method.label,
                    **looks[method],
                )
            axis.set_xlabel("seconds on two cores" if x == "seconds" else x)
            axis.set_ylabel(what)
            axis.grid(alpha=0.3)
            if y == "val_elbo":
                _from_best(axis)
        panels[-1].axis("off")
        panels[-1].legend(
            *panels[0].get_legend_handles_labels(),
            frameon=False,
            loc="center",
            ncols=2 if len(methods) > 8 else 1,
        )
        name = "_".join(str(part) for part in cell)
        path = out / f"study_{name}.png"
        _plots.save(path, drawing)
        drawn.append(path)
    return drawn


def _looks(methods: list[Method]) -> dict[Method, dict[str, Any]]:
    """Returns a colour for each estimator, a line for each way to use it."""
    estimators = list(dict.fromkeys(method.estimator for method in methods))
    ways = {
        name: [method for method in methods if method.estimator == name]
        for name in estimators
    }
    return {
        method: {
            "color": _COLOURS[
                estimators.index(method.estimator) % len(_COLOURS)
            ],
            "ls": _STYLES[ways[method.estimator].index(method) % len(_STYLES)],
            "marker": "o",
            "ms": 3,
        }
        for method in methods
    }


def _from_best(axis: Any, nats: float = 15.0) -> None:
    """Shows what is within some nats of the best."""
    top = max(np.nanmax(line.get_ydata()) for line in axis.get_lines())
    axis.set_ylim(top - nats, top + 0.5)
