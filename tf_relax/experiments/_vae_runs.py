"""The runs of `results/vae/`, as tables and figures read them."""

from collections.abc import Mapping, Sequence
import math
import pathlib
from typing import Any

import numpy as np

from tf_relax.experiments import _files

USUAL_EPOCHS = 100  # Of a run, unless it is longer.
_NETWORK = (2, 0.0)  # Its usual depth and weight decay.


def vae_runs(results: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the settings and `metrics` of the runs in `results/vae/`.

    `label` is the estimator, with what is not usual about it. `milliseconds` a
    step are those of the files `vae_benchmark*.csv`, measured on an idle
    machine, NaN if the case is not there; `seconds_per_epoch`, the time of
    training itself, then comes from the run.
    """
    milliseconds = {
        (
            row["estimator"],
            row["architecture"],
            int(row.get("num_samples") or 0),
        ): float(row["median_ms"])
        for path in sorted(results.glob("vae_benchmark*.csv"))
        for row in _files.read_csv(path)
    }
    runs = []
    for path in sorted((results / "vae").glob("*/config.json")):
        settings = _files.read_json(path)["settings"]
        metrics = _files.read_csv(path.parent / "metrics.csv")
        if not any(row.get("val_elbo") for row in metrics):
            continue
        last = metrics[-1]
        steps_per_epoch = int(last["step"]) / int(last["epoch"])
        key = tuple(
            settings[name]
            for name in ("estimator", "architecture", "num_samples")
        )
        own = 1000.0 * float(last["seconds"]) / int(last["step"])
        network = settings["network_depth"], settings["network_weight_decay"]
        usual = network == _NETWORK and _rhythm(settings) == 1
        measured = milliseconds.get(key) if usual else None
        step_ms = measured or own
        summary = path.parent / "summary.json"
        runs.append(
            settings
            | {
                "name": path.parent.name,
                "label": _label(settings, int(last["epoch"])),
                "metrics": metrics,
                "milliseconds": measured or math.nan,
                "seconds_per_epoch": 1e-3 * step_ms * steps_per_epoch,
                "summary": _files.read_json(summary)
                if summary.exists()
                else {},
            }
        )
    return runs


def best_by_validation(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns each label's run of the best validation ELBO."""
    return [
        max(own, key=lambda run: np.nanmax(column(run["metrics"], "val_elbo")))
        for own in groups(runs, "label").values()
    ]


def first_seed(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the runs of one seed: the best of several is no comparison."""
    first = min((run["seed"] for run in runs), default=0)
    return [run for run in runs if run["seed"] == first]


def _label(settings: Mapping[str, Any], epochs: int) -> str:
    """Returns the estimator, and what is not usual about its run."""
    label = str(settings["estimator"])
    if settings["num_samples"]:
        label += f", K = {settings['num_samples']}"
    depth, decay = settings["network_depth"], settings["network_weight_decay"]
    if settings["estimator"] == "relax" and (depth, decay) != _NETWORK:
        label += f", network {depth} layers, decay {decay:g}"
    if _rhythm(settings) > 1:
        label += f", c learns 1 in {_rhythm(settings)}"
    return label if epochs <= USUAL_EPOCHS else f"{label}, {epochs} epochs"


def _rhythm(settings: Mapping[str, Any]) -> int:
    """Returns `control_variate_every`, of which older runs do not know."""
    return int(settings.get("control_variate_every", 1))


def groups(rows: Sequence[Any], key: str) -> dict[Any, list[Any]]:
    """Returns rows by the value of one of their columns."""
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Returns the numbers of a column; NaN where it is empty."""
    return np.array([float(row.get(name) or "nan") for row in rows])
