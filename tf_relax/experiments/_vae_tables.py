"""Tables of VAE runs, beside the paper's numbers."""

from collections.abc import Mapping, Sequence
import pathlib
from typing import Any

import numpy as np

from tf_relax.experiments._markdown import table_of
from tf_relax.experiments._vae_runs import best_by_validation
from tf_relax.experiments._vae_runs import first_seed
from tf_relax.experiments._vae_runs import groups
from tf_relax.experiments._vae_runs import USUAL_EPOCHS
from tf_relax.experiments._vae_runs import vae_runs

# -ELBO of training and validation at an epoch, read out of the paper's curves:
# (data set, architecture, estimator) -> (epoch, training, validation).
_PAPER = {
    ("mnist", "linear1", "rebar"): (100, 117.93, 119.42),
    ("mnist", "linear1", "relax"): (100, 117.19, 118.43),
    ("mnist", "nonlinear", "rebar"): (100, 113.92, 116.28),
    ("mnist", "nonlinear", "relax"): (100, 112.65, 119.43),
    ("mnist", "linear2", "rebar"): (200, 104.37, 105.74),
    ("mnist", "linear2", "relax"): (200, 103.49, 104.79),
    ("omniglot", "linear1", "rebar"): (100, 135.94, None),
    ("omniglot", "linear1", "relax"): (100, 127.33, 129.42),
    ("omniglot", "nonlinear", "rebar"): (100, 133.93, 134.92),
    ("omniglot", "nonlinear", "relax"): (100, 127.95, 131.32),
    ("omniglot", "linear2", "rebar"): (200, 119.01, None),
    ("omniglot", "linear2", "relax"): (200, 118.73, None),
}
_TARGET_ELBO = -120.0  # Of validation, for the column of seconds.


def vae(results: pathlib.Path) -> str:
    """Returns REBAR and RELAX beside the paper, at their best learning rates.

    The learning rate is that of the best validation ELBO, mean over the seeds
    that there are. Runs as long as the paper's are preferred.
    """
    runs = _ordered(vae_runs(results), ("rebar", "relax"))
    lines = []
    for cell, (epoch, *paper) in _PAPER.items():
        own = [run for run in runs if _cell(run) == cell]
        as_long = f"{cell[-1]}, {epoch} epochs"
        own = [run for run in own if run["label"] == as_long] or [
            run for run in own if run["label"] == run["estimator"]
        ]
        if not own:
            continue
        rates = groups(own, "learning_rate").values()
        seeds = max(rates, key=lambda x: np.mean([_best_valid(r) for r in x]))
        lines.append(
            [
                *cell,
                f"{seeds[0]['learning_rate']:g}",
                len(seeds),
                seeds[0]["metrics"][-1]["epoch"],
                *(
                    _mean([_last(run, name) for run in seeds])
                    for name in ("elbo", "val_elbo")
                ),
                _mean([_test_bound(run) for run in seeds]),
                f"{' / '.join(_number(x) for x in paper)} at {epoch}",
            ]
        )
    return table_of(
        [
            "data",
            "architecture",
            "estimator",
            "learning rate",
            "seeds",
            "epochs",
            "train",
            "valid",
            "test, 100 samples",
            "paper, train / valid",
        ],
        lines,
    )


def vae_each(results: pathlib.Path) -> str:
    """Returns every run of REBAR and RELAX."""
    return table_of(
        [
            "data",
            "architecture",
            "estimator",
            "learning rate",
            "seed",
            "train",
            "valid",
            "test, 100 samples",
        ],
        [
            [
                run["dataset"],
                run["architecture"],
                run["label"],
                f"{run['learning_rate']:g}",
                run["seed"],
                *_final(run),
                _number(_test_bound(run)),
            ]
            for run in _ordered(vae_runs(results), ("rebar", "relax"))
        ],
    )


def vae_all(results: pathlib.Path) -> str:
    """Returns all estimators on MNIST, each at its best learning rate.

    Of one seed, and no longer than usual: the best of several seeds, or a
    longer run, would not be comparable.
    """
    runs = [
        run
        for run in first_seed(vae_runs(results))
        if run["dataset"] == "mnist"
        and int(run["metrics"][-1]["epoch"]) <= USUAL_EPOCHS
    ]
    lines = []
    for architecture in sorted({run["architecture"] for run in runs}):
        own = [run for run in runs if run["architecture"] == architecture]
        best = best_by_validation(own)
        for run in sorted(best, key=lambda run: -_best_valid(run)):
            summary = run["summary"]
            lines.append(
                [
                    architecture,
                    run["label"],
                    f"{run['learning_rate']:g}",
                    *_final(run),
                    _number(_test_bound(run)),
                    f"{summary.get('valid_gradient_variance', np.nan):.3g}",
                    _number(run["milliseconds"]),
                    _seconds_to(run, _TARGET_ELBO),
                ]
            )
    return table_of(
        [
            "architecture",
            "estimator",
            "learning rate",
            "train",
            "valid",
            "test, 100 samples",
            "gradient variance",
            "ms a step",
            "seconds to 120",
        ],
        lines,
    )


def concrete(results: pathlib.Path) -> str:
    """Returns the gap between Concrete's objective and the true one."""
    runs = [r for r in vae_runs(results) if r["estimator"] == "concrete"]
    return table_of(
        ["data", "architecture", "-ELBO, valid", "relaxed, valid", "gap"],
        [
            [
                run["dataset"],
                run["architecture"],
                _number(-run["summary"]["valid_elbo"]),
                _number(-run["summary"]["valid_relaxed_elbo"]),
                _number(
                    run["summary"]["valid_relaxed_elbo"]
                    - run["summary"]["valid_elbo"]
                ),
            ]
            for run in runs
            if "valid_relaxed_elbo" in run["summary"]
        ],
    )


def _ordered(
    runs: Sequence[dict[str, Any]], estimators: Sequence[str]
) -> list[dict[str, Any]]:
    return sorted(
        (run for run in runs if run["estimator"] in estimators),
        key=lambda run: (
            run["dataset"],
            run["architecture"],
            run["learning_rate"],
            run["label"],
            run["seed"],
        ),
    )


def _cell(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return run["dataset"], run["architecture"], run["estimator"]


def _final(run: Mapping[str, Any]) -> list[str]:
    """Returns -ELBO of training and validation at the last evaluation."""
    return [_number(_last(run, name)) for name in ("elbo", "val_elbo")]


def _last(run: Mapping[str, Any], name: str) -> float:
    known = [row for row in run["metrics"] if row.get("val_elbo")]
    return -float(known[-1][name])


def _test_bound(run: Mapping[str, Any]) -> float:
    return -float(run["summary"].get("test_bound", np.nan))


def _mean(values: Sequence[float]) -> str:
    """Returns the mean; of several seeds, with their standard deviation."""
    mean = _number(float(np.mean(values)))
    if len(values) == 1 or mean == "-":
        return mean
    return f"{mean} +- {np.std(values, ddof=1):.2f}"


def _best_valid(run: Mapping[str, Any]) -> float:
    known = [row for row in run["metrics"] if row.get("val_elbo")]
    return max(float(row["val_elbo"]) for row in known)


def _seconds_to(run: Mapping[str, Any], elbo: float) -> str:
    if not np.isfinite(run["milliseconds"]):
        return "-"
    for row in run["metrics"]:
        if row.get("val_elbo") and float(row["val_elbo"]) >= elbo:
            return f"{int(row['epoch']) * run['seconds_per_epoch']:.0f}"
    return "-"


def _number(x: float | None) -> str:
    return "-" if x is None or not np.isfinite(x) else f"{x:.2f}"
