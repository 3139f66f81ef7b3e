"""The runs of `results/study/` by cell and method."""

from collections.abc import Mapping, Sequence
import pathlib
from typing import Any, NamedTuple

from absl import logging
import numpy as np

from tf_relax.experiments import _files


class Method(NamedTuple):
    """What a run is an example of, by its settings and the usual ones."""

    estimator: str
    num_samples: int
    kl_warmup_epochs: float = 0.0
    learning_rate_schedule: str = "constant"
    optimizer: str = "adam"
    beta2: float = 0.999
    control_variate_every: int = 1

    @property
    def label(self) -> str:
        """The method's name for people."""
        usual = Method(self.estimator, self.num_samples)
        label = self.estimator
        if self.num_samples:
            label += f", K = {self.num_samples}"
        if self.kl_warmup_epochs:
            label += f", warm-up {self.kl_warmup_epochs:g}"
        for unusual in ("learning_rate_schedule", "optimizer"):
            if getattr(self, unusual) != getattr(usual, unusual):
                label += f", {getattr(self, unusual)}"
        if self.beta2 != usual.beta2:
            label += f", beta2 = {self.beta2:g}"
        if self.control_variate_every > 1:
            label += f", c learns 1 in {self.control_variate_every}"
        return label


Run = dict[str, Any]
# Cell -> method -> the seeds of the method's best learning rate.
Cells = dict[tuple[Any, ...], dict[Method, list[Run]]]

# Of a run's posterior, with the digits of tables.
POSTERIOR = {"active_units": 0, "kl": 2, "posterior_entropy": 1}

_CELL = ("dataset", "binarization", "architecture", "epochs")
# What settles the milliseconds of a step.
_COST = (
    "architecture",
    "estimator",
    "num_samples",
    "batch_size",
    "optimizer",
    "control_variate_every",
)
# Of runs, and of benchmarks, that had no such setting.
_BEFORE: Run = {"control_variate_every": 1, "optimizer": "adam"}


def study_cells(results: pathlib.Path) -> Cells:
    """Returns the settings and measurements of `results/study/*/`.

    A cell is a data set, a binarisation, an architecture and the epochs of the
    run. A method's best rate is, of those that have the most seeds, that of
    the best last validation ELBO, mean over the seeds. A sweep's replicas are
    runs like others.

    Each run has its settings and `curves`, at the epochs of evaluations:
    `epoch`, `seconds`, and the columns of `metrics.csv` and `posterior.csv`,
    sums over the layers. The seconds are those of as many steps of that
    estimator on an idle machine, by `benchmark_samples*.csv`; NaN if it has
    none. What is no run's folder is left out, with a warning.
    """
    milliseconds = _milliseconds(results)
    found: dict[Any, dict[Any, dict[float, list[Run]]]] = {}
    for path in sorted((results / "study").glob("*/config.json")):
        for run in _readable_runs(path, milliseconds):
            cell = tuple(run[name] for name in _CELL)
            method = Method(*(run[name] for name in Method._fields))
            rates = found.setdefault(cell, {}).setdefault(method, {})
            rates.setdefault(run["learning_rate"], []).append(run)
    return {
        cell: {
            method: max(rates.values(), key=_worth)
            for method, rates in sorted(methods.items())
        }
        for cell, methods in sorted(found.items())
    }


def cell_label(cell: tuple[Any, ...]) -> str:
    """Returns a cell's name for people."""
    *data, epochs = cell
    return f"{' '.join(data)}, {epochs} epochs"


def _milliseconds(results: pathlib.Path) -> dict[tuple[str, ...], float]:
    """Returns the milliseconds of a step by the values of `_COST`, as words."""
    rows = [
        row
        for path in sorted(results.glob("benchmark_samples*.csv"))
        for row in _files.read_csv(path)
    ]
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
    curves = {
        "epoch": np.array(epochs),
        "step": steps,
        "seconds": steps * milliseconds / 1e3,
    }
    for name in ("elbo", "val_elbo", "val_gradient_variance"):
        curves[name] = np.array([float(row[name]) for row in metrics])
    for name in POSTERIOR:
        sums: dict[int, float] = {}
        for row in posterior:
            epoch = int(row["epoch"])
            sums[epoch] = sums.get(epoch, 0.0) + float(row[name])
        curves[name] = np.array([sums.get(epoch, np.nan) for epoch in epochs])
    return curves


def _worth(seeds: Sequence[Run]) -> tuple[int, float]:
    """Returns what is largest for the best learning rate."""
    last = [run["curves"]["val_elbo"][-1] for run in seeds]
    return len(seeds), float(np.mean(last))
