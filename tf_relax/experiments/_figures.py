"""The paper's figures, drawn from the CSV files of runs."""

from collections.abc import Callable, Mapping, Sequence
import importlib.util
import itertools
import math
import pathlib
from typing import Any

import numpy as np

from tf_relax._names import unknown
from tf_relax.experiments import _benchmark_plot
from tf_relax.experiments import _files
from tf_relax.experiments import _growth
from tf_relax.experiments import _plots
from tf_relax.experiments import _rl_results
from tf_relax.experiments import _study_plots
from tf_relax.experiments._exact_toy import exact_loss
from tf_relax.experiments._vae_runs import best_by_validation
from tf_relax.experiments._vae_runs import column
from tf_relax.experiments._vae_runs import first_seed
from tf_relax.experiments._vae_runs import groups
from tf_relax.experiments._vae_runs import USUAL_EPOCHS
from tf_relax.experiments._vae_runs import vae_runs

Rows = Sequence[Mapping[str, Any]]

_TARGET = 0.499  # The toy's.
_SMOOTHED = 50  # Measurements of the log-variance in a mean, as the paper.

_COLORS = [*(f"C{i}" for i in range(10)), "black", "gold", "navy", "lime"]


def draw_figures(
    results: pathlib.Path, out: pathlib.Path, names: Sequence[str]
) -> list[pathlib.Path]:
    """Draws figures as PNG files.

    Args:
      results: the folder with the runs' folders: `toy/`, `toy_fixed/`,
        `components.csv`, `vae/*/`, `variance/`.
      out: the folder of the pictures.
      names: keys of `FIGURES`.

    Returns:
      The files, those for whose runs there were CSV files.

    Raises:
      ImportError: if matplotlib is missing.
      ValueError: if a name is unknown.
      FileNotFoundError: if there are no CSV files at all.
    """
    for name in names:
        if name not in FIGURES:
            raise ValueError(unknown("figure", name, FIGURES))
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(
            "Figures need matplotlib. Install it with "
            "`pip install 'tf_relax[plot]'`."
        )
    drawn = []
    for name in names:
        try:
            drawn += FIGURES[name](results, out)
        except KeyError as error:
            raise ValueError(
                f"figure={name} needs CSV files as the programs write them. "
                f"Received: one in {results} without the column {error}."
            ) from error
    if not drawn:
        raise FileNotFoundError(
            f"No CSV files of runs in {results} for {', '.join(names)}."
        )
    return drawn


def draw_toy(
    path: pathlib.Path, rows: Rows, target: float, smoothed: int = 1
) -> None:
    """Draws the toy's loss and log-variance, mean and band over seeds.

    Args:
      path: of the PNG.
      rows: of `metrics.csv`.
      target: t, for the exact gradient's curve.
      smoothed: how many log-variances are averaged for a point.
    """
    curves: dict[str, dict[str, np.ndarray]] = {}
    for name, own in groups(rows, "estimator").items():
        by_seed = groups(own, "seed").values()
        curves[name] = {
            key: np.stack([column(seed, key) for seed in by_seed])
            for key in ("loss", "log_variance")
        }
        curves[name]["step"] = column(next(iter(by_seed)), "step")
        if smoothed > 1 and curves[name]["step"].size > smoothed:
            curves[name] = _smooth(curves[name], smoothed)
    steps = max(int(curve["step"][-1]) for curve in curves.values())
    curves["exact gradient"] = exact_loss(target, steps)
    panels = {
        "loss": f"E[(b - {target:g})^2]",
        "log_variance": "log variance of the gradient",
    }
    _plots.draw_bands(path, curves, panels)


def _smooth(curve: dict[str, np.ndarray], window: int) -> dict[str, np.ndarray]:
    """Returns the curve with rolling means of the log-variance."""
    kernel = np.ones(window) / window
    means = [np.convolve(x, kernel, "valid") for x in curve["log_variance"]]
    head = np.full([len(means), window - 1], np.nan)
    return curve | {"log_variance": np.concatenate([head, means], 1)}


def _toy(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    rows = _files.read_csv(results / "toy" / "metrics.csv")
    if not rows:
        return []
    draw_toy(out / "toy.png", rows, _TARGET, _SMOOTHED)
    return [out / "toy.png"]


def _components(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    rows = _files.read_csv(results / "components.csv")
    made = _plots.figure(1, 4, 15, 3.2) if rows else None
    if made is None:
        return []
    drawing, axes = made
    for axis, (name, own) in zip(
        axes[0], groups(rows, "component").items(), strict=True
    ):
        left, right = column(own, "left"), column(own, "right")
        axis.bar(left, column(own, "count"), right - left, align="edge")
        log_variance = math.log(float(own[0]["variance"]))
        axis.set_title(f"{name}, log variance {log_variance:.2f}", fontsize=10)
        axis.set_xlabel("nats")
    _plots.save(out / "components.png", drawing)
    return [out / "components.png"]


def _relaxation(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    rows = _files.read_csv(results / "toy_fixed" / "relaxation.csv")
    made = _plots.figure(1, 3, 12, 3.4) if rows else None
    if made is None:
        return []
    drawing, axes = made
    u = np.linspace(0.0, 1.0, 1000)
    axes[0][0].plot(u, (np.where(u > 0.5, 1.0, 0.0) - _TARGET) ** 2, "k")
    axes[0][0].set_title("f(b)")
    by_name = groups(rows, "estimator")
    for axis, (name, own) in zip(axes[0][1:], by_name.items(), strict=False):
        for seed in groups(own, "seed").values():
            axis.plot(column(seed, "u"), column(seed, "c"), linewidth=1)
        axis.set_title(f"c of {name}, a line a seed")
    for axis in axes[0]:
        axis.set_xlabel("u, theta = 1/2")
        axis.grid(alpha=0.3)
    _plots.save(out / "relaxation.png", drawing)
    return [out / "relaxation.png"]


def _vae(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    """Draws a picture for each data set and architecture."""
    # Beside the paper's 2,000,000 steps the others would be a line.
    runs = [
        run
        for run in vae_runs(results)
        if int(run["metrics"][-1]["epoch"]) <= 2 * USUAL_EPOCHS
    ]
    drawn = []
    for cell in sorted({(r["dataset"], r["architecture"]) for r in runs}):
        own = [r for r in runs if (r["dataset"], r["architecture"]) == cell]
        best = best_by_validation(first_seed(own))
        path = out / f"vae_{'_'.join(cell)}.png"
        if _draw_vae(path, best, " ".join(cell)):
            drawn.append(path)
    return drawn


def _draw_vae(
    path: pathlib.Path, runs: Sequence[dict[str, Any]], title: str
) -> bool:
    made = _plots.figure(1, 2, 12, 5)
    if made is None:
        return False
    drawing, axes = made
    drawing.suptitle(title)
    tops = []
    timed = any(math.isfinite(run["milliseconds"]) for run in runs)
    for run, color in zip(runs, itertools.cycle(_COLORS)):
        for axis, unit in zip(axes[0], ("epoch", "seconds"), strict=True):
            x = column(run["metrics"], "epoch")
            if unit == "seconds":
                if timed and math.isnan(run["milliseconds"]):
                    continue  # Its own time is of another machine's state.
                x = x * run["seconds_per_epoch"]
            train = column(run["metrics"], "elbo")
            valid = column(run["metrics"], "val_elbo")
            known = np.isfinite(valid)
            label = f"{run['label']}, {run['learning_rate']:g}"
            axis.plot(x, train, "--", color=color, linewidth=0.9)
            axis.plot(x[known], valid[known], color=color, label=label)
            tops.append(np.nanmax([*train, *valid]))
            if run["label"] == "rebar":
                axis.axhline(np.nanmax(valid), color="k", ls=":", lw=0.9)
    for axis, unit in zip(axes[0], ("epoch", "seconds"), strict=True):
        axis.set_xlabel(unit)
        axis.set_ylabel("ELBO (nats)")
        axis.set_ylim(np.median(tops) - 18.0, max(tops) + 1.0)
        axis.grid(alpha=0.3)
    handles = axes[0][0].get_legend_handles_labels()[0]
    drawing.legend(
        handles=handles,
        frameon=False,
        fontsize=8,
        loc="outside lower center",
        ncols=5,
        title="valid; dashed: train; dotted: the best of REBAR in validation",
        title_fontsize=8,
    )
    _plots.save(path, drawing)
    return True


def _variance(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    rows = _files.read_csv(results / "variance" / "variance.csv")
    made = _plots.figure(1, 1, 7, 4.4) if rows else None
    if made is None:
        return []
    drawing, axes = made
    axis = axes[0][0]
    for name, own in groups(rows, "estimator").items():
        axis.plot(
            column(own, "step"), column(own, "gradient_variance"), label=name
        )
    axis.set_yscale("log")
    axis.set_xlabel("step")
    axis.set_ylabel("variance of the logits' gradient (nats^2)")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)
    _plots.save(out / "variance.png", drawing)
    return [out / "variance.png"]


FIGURES: dict[
    str, Callable[[pathlib.Path, pathlib.Path], list[pathlib.Path]]
] = {
    "toy": _toy,
    "components": _components,
    "relaxation": _relaxation,
    "vae": _vae,
    "variance": _variance,
    "rl": _rl_results.draw_rl,
    "growth": _growth.draw_growth,
    "grid": _benchmark_plot.draw_grid,
    "study": _study_plots.draw_study,
}
