"""What estimators come to, with a KL warm-up and without: `results/study/`."""

from collections.abc import Mapping, Sequence
import pathlib
from typing import Any

from absl import logging
import numpy as np

from tf_relax.experiments import _files
from tf_relax.experiments._markdown import table_of

Run = dict[str, Any]
# Cell -> method -> the seeds of the method's best learning rate.
Cells = dict[tuple[Any, ...], dict[tuple[Any, ...], list[Run]]]

_CELL = ("dataset", "binarization", "architecture", "epochs")
_METHOD = (
    "estimator",
    "num_samples",
    "kl_warmup_epochs",
    "learning_rate_schedule",
    "control_variate_every",
)
# What settles the milliseconds of a step.
_COST = (
    "architecture",
    "estimator",
    "num_samples",
    "batch_size",
    "control_variate_every",
)
# Of runs, and of benchmarks, that had no such setting.
_BEFORE: Run = {"control_variate_every": 1}
_EARLY = 20  # Epochs of the comparison of all estimators.
_REFERENCE = ("leave_one_out", 2, 0.0, "constant", 1)
_POSTERIOR = {"active_units": 0, "kl": 2, "posterior_entropy": 1}  # Digits.


def study_cells(results: pathlib.Path) -> Cells:
    """Returns the settings and measurements of `results/study/*/`.

    A cell is a data set, a binarisation, an architecture and the epochs of the
    run; a method is an estimator, its samples, the length of the warm-up, the
    schedule of the learning rate and how rarely the control variate learns. Its
    best rate is, of those that have the
    most seeds, that of the best last validation ELBO, mean over the seeds. A
    sweep's replicas are runs like others.

    Each run has its settings and `curves`, at the epochs of evaluations:
    `epoch`, `seconds`, and the columns of `metrics.csv` and `posterior.csv`,
    sums over the layers. The seconds are those of as many steps of that
    estimator on an idle machine, by `benchmark_samples.csv`; NaN if it has
    none. What is no run's folder is left out, with a warning.
    """
    milliseconds = _milliseconds(results / "benchmark_samples.csv")
    found: dict[Any, dict[Any, dict[float, list[Run]]]] = {}
    for path in sorted((results / "study").glob("*/config.json")):
        for run in _readable_runs(path, milliseconds):
            cell, method = (
                tuple(run[name] for name in names) for names in (_CELL, _METHOD)
            )
            rates = found.setdefault(cell, {}).setdefault(method, {})
            rates.setdefault(run["learning_rate"], []).append(run)
    return {
        cell: {
            method: max(rates.values(), key=_worth)
            for method, rates in sorted(methods.items())
        }
        for cell, methods in sorted(found.items())
    }


def study(results: pathlib.Path) -> str:
    """Returns a table of the runs that last, each method at its best rate."""
    return table_of(
        [
            "cell",
            "estimator",
            "learning rate",
            "seeds",
            f"valid at {_EARLY}",
            "valid",
            "train",
            "active units",
            "KL",
            "entropy",
        ],
        [
            [
                cell_label(cell),
                method_label(method),
                f"{seeds[0]['learning_rate']:g}",
                len(seeds),
                _mean([-_at(run, "val_elbo", _EARLY) for run in seeds], 2),
                *_lasts(seeds),
            ]
            for cell, methods in study_cells(results).items()
            if cell[-1] > _EARLY
            for method, seeds in methods.items()
        ],
    )


def study_estimators(results: pathlib.Path) -> str:
    """Returns a table of the runs of up to 20 epochs, the cheapest first.

    One column has the validation ELBO at equal cost: when leave-one-out of two
    samples is done, linear between evaluations, empty for what is done before.
    """
    lines = []
    for cell, methods in study_cells(results).items():
        if cell[-1] > _EARLY:
            continue
        reference = methods.get(_REFERENCE)
        end = _seconds(reference)[-1] if reference else np.nan
        for method, seeds in sorted(
            methods.items(), key=lambda item: _seconds(item[1])[-1]
        ):
            seconds = _seconds(seeds)
            equal = [
                -np.interp(end, seconds, run["curves"]["val_elbo"])
                for run in seeds
            ]
            lines.append(
                [
                    cell_label(cell),
                    method_label(method),
                    f"{seeds[0]['learning_rate']:g}",
                    len(seeds),
                    _mean(seconds[-1:], 0),
                    _mean(equal, 2) if seconds[-1] >= end else "",
                    *_lasts(seeds),
                ]
            )
    return table_of(
        [
            "cell",
            "estimator",
            "learning rate",
            "seeds",
            "seconds",
            "valid at equal seconds",
            "valid",
            "train",
            "active units",
            "KL",
            "entropy",
        ],
        lines,
    )


def cell_label(cell: tuple[Any, ...]) -> str:
    """Returns a cell's name for people."""
    *data, epochs = cell
    return f"{' '.join(data)}, {epochs} epochs"


def method_label(method: tuple[Any, ...]) -> str:
    """Returns a method's name for people."""
    estimator, num_samples, warmup, schedule, every = method
    label = str(estimator)
    if num_samples:
        label += f", K = {num_samples}"
    if warmup:
        label += f", warm-up {warmup:g}"
    if schedule != "constant":
        label += f", {schedule}"
    if every > 1:
        label += f", c learns 1 in {every}"
    return label


def _milliseconds(path: pathlib.Path) -> dict[tuple[str, ...], float]:
    """Returns the milliseconds of a step by the values of `_COST`, as words."""
    rows = _files.read_csv(path) if path.exists() else []
    return {_cost(row): float(row["median_ms"]) for row in rows}


def _cost(settings: Run) -> tuple[str, ...]:
    known = _BEFORE | settings
    return tuple(str(known[name]) for name in _COST)


def _readable_runs(
    config: pathlib.Path, milliseconds: Mapping[tuple[str, ...], float]
) -> list[Run]:
    try:
        return _runs(config, milliseconds)
    except (LookupError, OSError, TypeError, ValueError) as error:
        logging.warning(
            "%s is left out. Expected: what train_vae or sweep writes. "
            "Received: %s: %s",
            config.parent,
            type(error).__name__,
            error,
        )
        return []


def _runs(
    config: pathlib.Path, milliseconds: Mapping[tuple[str, ...], float]
) -> list[Run]:
    """Returns the replicas of a sweep, or a run."""
    settings = _BEFORE | _files.read_json(config)["settings"]
    metrics = _files.read_csv(config.parent / "metrics.csv")
    posterior = _files.read_csv(config.parent / "posterior.csv")
    cost = milliseconds.get(_cost(settings), np.nan)
    runs = []
    for replica in dict.fromkeys(row.get("replica") for row in metrics):
        own = [row for row in metrics if row.get("replica") == replica]
        swept = {
            name: float(own[0].get(name, settings[name]))
            for name in ("learning_rate", "seed", "kl_warmup_epochs")
        }
        curves = _curves(
            [row for row in own if row.get("val_elbo")],
            [row for row in posterior if row.get("replica") == replica],
            cost,
        )
        if curves["epoch"].size:
            epochs = int(curves["epoch"][-1])
            runs.append(settings | swept | {"epochs": epochs, "curves": curves})
    return runs


def _curves(
    metrics: Sequence[Mapping[str, str]],
    posterior: Sequence[Mapping[str, str]],
    milliseconds: float,
) -> dict[str, np.ndarray]:
    epochs = [int(row["epoch"]) for row in metrics]
    steps = np.array([int(row["step"]) for row in metrics])
    curves = {"epoch": np.array(epochs), "seconds": steps * milliseconds / 1e3}
    for name in ("elbo", "val_elbo"):
        curves[name] = np.array([float(row[name]) for row in metrics])
    for name in _POSTERIOR:
        sums: dict[int, float] = {}
        for row in posterior:
            epoch = int(row["epoch"])
            sums[epoch] = sums.get(epoch, 0.0) + float(row[name])
        curves[name] = np.array([sums.get(epoch, np.nan) for epoch in epochs])
    return curves


def _lasts(seeds: Sequence[Run]) -> list[str]:
    """Returns negative ELBOs and the posterior at the end, as cells."""

    def last(name: str) -> np.ndarray:
        return np.array([run["curves"][name][-1] for run in seeds])

    return [
        _mean(-last("val_elbo"), 2),
        _mean(-last("elbo"), 2),
        *(_mean(last(name), digits) for name, digits in _POSTERIOR.items()),
    ]


def _seconds(seeds: Sequence[Run]) -> np.ndarray:
    return np.asarray(seeds[0]["curves"]["seconds"])


def _worth(seeds: Sequence[Run]) -> tuple[int, float]:
    """Returns what is largest for the best learning rate."""
    last = [run["curves"]["val_elbo"][-1] for run in seeds]
    return len(seeds), float(np.mean(last))


def _at(run: Run, name: str, epoch: int) -> float:
    """Returns a quantity at the last evaluation up to an epoch."""
    curves = run["curves"]
    known = curves[name][curves["epoch"] <= epoch]
    return float(known[-1]) if known.size else np.nan


def _mean(values: Any, digits: int) -> str:
    """Returns the mean; of several seeds, with their standard deviation."""
    mean = f"{np.mean(values):.{digits}f}"
    if not np.isfinite(np.mean(values)):
        return "-"
    if len(values) == 1:
        return mean
    return f"{mean} +- {np.std(values, ddof=1):.{max(digits, 1)}f}"
