"""What estimators come to, with a KL warm-up and without: `results/study/`."""

from collections.abc import Mapping, Sequence
import itertools
import pathlib
from typing import Any

import numpy as np

from tf_relax.experiments import _files
from tf_relax.experiments import _plots
from tf_relax.experiments._markdown import table_of

_Run = Mapping[str, Any]
_CELL = ("dataset", "binarization", "architecture")
_METHOD = ("estimator", "num_samples", "kl_warmup_epochs")
_EARLY = 20  # Epochs, of a column of the table.
_PANELS = {
    "val_elbo": "ELBO, validation (nats)",
    "active_units": "active units",
    "kl": "KL term (nats)",
    "posterior_entropy": "entropy of the posterior (nats)",
}


def study_runs(results: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the settings and measurements of `results/study/*/`.

    Each has `curves`: `epoch`, and the columns of `metrics.csv` and
    `posterior.csv` at evaluations, sums over the layers. A sweep's replicas
    are runs like others.
    """
    runs = []
    for path in sorted((results / "study").glob("*/config.json")):
        settings = _files.read_json(path)["settings"]
        metrics = _files.read_csv(path.parent / "metrics.csv")
        posterior = _files.read_csv(path.parent / "posterior.csv")
        for replica in dict.fromkeys(row.get("replica") for row in metrics):
            own = [row for row in metrics if row.get("replica") == replica]
            swept = {
                name: float(own[0].get(name, settings[name]))
                for name in ("learning_rate", "seed")
            }
            curves = _curves(
                [row for row in own if row.get("val_elbo")],
                [row for row in posterior if row.get("replica") == replica],
            )
            if curves["epoch"].size:
                runs.append(settings | swept | {"curves": curves})
    return runs


def _curves(
    metrics: Sequence[Mapping[str, str]], posterior: Sequence[Mapping[str, str]]
) -> dict[str, np.ndarray]:
    epochs = [int(row["epoch"]) for row in metrics]
    curves = {"epoch": np.array(epochs)}
    for name in ("elbo", "val_elbo"):
        curves[name] = np.array([float(row[name]) for row in metrics])
    for name in ("active_units", "kl", "posterior_entropy"):
        sums: dict[int, float] = {}
        for row in posterior:
            epoch = int(row["epoch"])
            sums[epoch] = sums.get(epoch, 0.0) + float(row[name])
        curves[name] = np.array([sums.get(epoch, np.nan) for epoch in epochs])
    return curves


def study(results: pathlib.Path) -> str:
    """Returns a table: each method at its best learning rate.

    That is the one of the best last validation ELBO, mean over its seeds.
    """
    lines = []
    for cell, methods in _cells(study_runs(results)).items():
        for method, seeds in methods.items():
            epochs = int(seeds[0]["curves"]["epoch"][-1])
            early = [_at(run, "val_elbo", _EARLY) for run in seeds]
            values = {
                name: [_at(run, name, epochs) for run in seeds]
                for name in ("elbo", *_PANELS)
            }
            lines.append(
                [
                    " ".join(cell),
                    _label(method),
                    f"{seeds[0]['learning_rate']:g}",
                    len(seeds),
                    epochs,
                    _mean(np.negative(early), 2),
                    _mean(np.negative(values["val_elbo"]), 2),
                    _mean(np.negative(values["elbo"]), 2),
                    _mean(values["active_units"], 0),
                    _mean(values["kl"], 2),
                    _mean(values["posterior_entropy"], 1),
                ]
            )
    return table_of(
        [
            "cell",
            "estimator",
            "learning rate",
            "seeds",
            "epochs",
            f"valid at {_EARLY}",
            "valid",
            "train",
            "active units",
            "KL",
            "entropy",
        ],
        lines,
    )


def draw_study(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    """Draws a picture of each cell: ELBO and posterior against epochs."""
    drawn = []
    for cell, methods in _cells(study_runs(results)).items():
        made = _plots.figure(2, 2, 12, 8)
        if made is None:
            return []
        drawing, axes = made
        drawing.suptitle(" ".join(cell))
        names = list(dict.fromkeys(method[0] for method in methods))
        for axis, (quantity, what) in zip(
            itertools.chain(*axes), _PANELS.items(), strict=True
        ):
            for method, seeds in methods.items():
                warm = method[2] > 0
                axis.plot(
                    seeds[0]["curves"]["epoch"],
                    np.mean([run["curves"][quantity] for run in seeds], 0),
                    color=f"C{names.index(method[0])}",
                    ls="--" if warm else "-",
                    label=_label(method),
                )
            axis.set_xlabel("epoch")
            axis.set_ylabel(what)
            axis.grid(alpha=0.3)
        _from_best(axes[0][0])
        axes[0][0].legend(frameon=False, fontsize=8)
        path = out / f"study_{'_'.join(cell)}.png"
        _plots.save(path, drawing)
        drawn.append(path)
    return drawn


def _from_best(axis: Any, nats: float = 15.0) -> None:
    """Shows what is within some nats of the best."""
    top = max(np.nanmax(line.get_ydata()) for line in axis.get_lines())
    axis.set_ylim(top - nats, top + 0.5)


def _cells(
    runs: Sequence[_Run],
) -> dict[tuple[Any, ...], dict[tuple[Any, ...], list[_Run]]]:
    """Returns cell -> method -> the seeds of its best learning rate."""
    found: dict[Any, dict[Any, dict[float, list[_Run]]]] = {}
    for run in runs:
        cell, method = (
            tuple(run[name] for name in names) for names in (_CELL, _METHOD)
        )
        rates = found.setdefault(cell, {}).setdefault(method, {})
        rates.setdefault(run["learning_rate"], []).append(run)
    return {
        cell: {
            method: max(rates.values(), key=_last_elbo)
            for method, rates in sorted(methods.items())
        }
        for cell, methods in sorted(found.items())
    }


def _last_elbo(seeds: Sequence[_Run]) -> float:
    return float(np.mean([run["curves"]["val_elbo"][-1] for run in seeds]))


def _at(run: _Run, name: str, epoch: int) -> float:
    """Returns a quantity at the last evaluation up to an epoch."""
    curves = run["curves"]
    known = curves[name][curves["epoch"] <= epoch]
    return float(known[-1]) if known.size else np.nan


def _label(method: tuple[Any, ...]) -> str:
    estimator, num_samples, warmup = method
    label = str(estimator)
    if num_samples:
        label += f", K = {num_samples}"
    if warmup:
        label += f", warm-up {warmup:g}"
    return label


def _mean(values: Any, digits: int) -> str:
    """Returns the mean; of several seeds, with their standard deviation."""
    mean = f"{np.mean(values):.{digits}f}"
    if not np.isfinite(np.mean(values)):
        return "-"
    if len(values) == 1:
        return mean
    return f"{mean} +- {np.std(values, ddof=1):.{max(digits, 1)}f}"
