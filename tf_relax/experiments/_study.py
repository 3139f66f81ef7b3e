"""What estimators come to, with a KL warm-up and without: tables."""

from collections.abc import Sequence
import pathlib
from typing import Any

import numpy as np

from tf_relax.experiments._markdown import table_of
from tf_relax.experiments._study_cells import cell_label
from tf_relax.experiments._study_cells import Method
from tf_relax.experiments._study_cells import POSTERIOR
from tf_relax.experiments._study_cells import Run
from tf_relax.experiments._study_cells import study_cells

_EARLY = 20  # Epochs of the comparison of all estimators.
_REFERENCE = Method("leave_one_out", 2)


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
                method.label,
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
            methods.items(),
            key=lambda item: np.nan_to_num(_seconds(item[1])[-1], nan=np.inf),
        ):
            seconds = _seconds(seeds)
            equal = [
                -np.interp(end, seconds, run["curves"]["val_elbo"])
                for run in seeds
            ]
            lines.append(
                [
                    cell_label(cell),
                    method.label,
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


def study_rare(results: pathlib.Path) -> str:
    """Returns a table of methods whose control variates learn more or less.

    The milliseconds of a step are those that the runs' seconds are made of.
    """
    lines = []
    for cell, methods in study_cells(results).items():
        always = [m._replace(control_variate_every=1) for m in methods]
        for name, (method, seeds) in zip(always, methods.items(), strict=True):
            if always.count(name) > 1:
                curves = seeds[0]["curves"]
                cost = 1e3 * curves["seconds"][-1:] / curves["step"][-1]
                lines.append(
                    [
                        cell_label(cell),
                        name.label,
                        method.control_variate_every,
                        len(seeds),
                        _mean(cost, 2),
                        _last(seeds, "val_gradient_variance", 0),
                        *_lasts(seeds)[:2],
                    ]
                )
    return table_of(
        [
            "cell",
            "estimator",
            "c learns once in",
            "seeds",
            "ms a step",
            "variance (nats^2)",
            "valid",
            "train",
        ],
        lines,
    )


def _lasts(seeds: Sequence[Run]) -> list[str]:
    """Returns negative ELBOs and the posterior at the end, as cells."""
    return [
        _last(seeds, "val_elbo", 2, -1.0),
        _last(seeds, "elbo", 2, -1.0),
        *(_last(seeds, name, digits) for name, digits in POSTERIOR.items()),
    ]


def _last(
    seeds: Sequence[Run], name: str, digits: int, times: float = 1.0
) -> str:
    """Returns what a quantity is at the end, as a cell."""
    return _mean([times * run["curves"][name][-1] for run in seeds], digits)


def _seconds(seeds: Sequence[Run]) -> np.ndarray:
    return np.asarray(seeds[0]["curves"]["seconds"])


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
