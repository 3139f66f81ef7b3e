"""README's tables, made from the CSV files in `results/`."""

from collections.abc import Callable, Mapping, Sequence
import pathlib
import re
from typing import Any

import numpy as np

from tf_relax.experiments import _files
from tf_relax.experiments._figures import best_by_validation
from tf_relax.experiments._figures import vae_runs

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


def write_tables(
    readme: pathlib.Path, results: pathlib.Path, *, check: bool = False
) -> bool:
    """Writes the tables between `<!-- table: NAME -->` and `<!-- end -->`.

    Args:
      readme: the file.
      results: the folder of the CSV files.
      check: writes nothing.

    Returns:
      Whether the file was up to date.

    Raises:
      ValueError: if there is no table of a name.
    """
    old = readme.read_text()

    def table(match: re.Match[str]) -> str:
        if match[2] not in TABLES:
            raise ValueError(f"No table {match[2]!r}: {', '.join(TABLES)}.")
        return f"{match[1]}{TABLES[match[2]](results)}\n{match[3]}"

    new = re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        table,
        old,
        flags=re.DOTALL,
    )
    if new != old and not check:
        readme.write_text(new)
    return new == old


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


_FAMILIES = {
    "Bernoulli": "bernoulli",
    "one-hot categorical": "categorical",
    "normal": "normal",
    "multivariate normal": "mvn_diag",
}


def _unbiased(results: pathlib.Path) -> str:
    rows = _files.read_csv(results / "unbiased.csv")

    def cell(estimator: str, family: str) -> str:
        # With logits and probs, alone and in Independent.
        own = [
            row
            for row in rows
            if row["estimator"] == estimator and family in row["distribution"]
        ]
        if not own:
            return ""
        largest = max(float(row["largest_abs_z"]) for row in own)
        draws = sum(int(row["draws"]) for row in own)
        return f"{largest:.2f} ({draws / 1e6:.1f} M)"

    return _table(
        ["estimator", *_FAMILIES],
        [
            [f"`{name}`", *(cell(name, f) for f in _FAMILIES.values())]
            for name in dict.fromkeys(row["estimator"] for row in rows)
        ],
    )


def _benchmark(results: pathlib.Path) -> str:
    return _table(
        ["estimator", "steps a call", "XLA", "ms a step (min-max)", "ratio"],
        [
            [
                row["estimator"],
                row["steps_per_call"],
                {"True": "yes", "False": "no"}[row["jit_compile"]],
                f"{float(row['median_ms']):.2f} ({float(row['min_ms']):.2f}-"
                f"{float(row['max_ms']):.2f})",
                f"{float(row['ratio_to_leave_one_out']):.2f}",
            ]
            for row in _files.read_csv(results / "benchmark_cpu.csv")
        ],
    )


def _variance(results: pathlib.Path) -> str:
    return _table(
        ["estimator", "samples", "variance (nats^2)", "to leave-one-out's"],
        [
            [
                row["estimator"],
                row["num_samples"],
                f"{float(row['gradient_variance']):.4g} +- "
                f"{float(row['standard_error']):.2g}",
                f"{float(row['ratio_to_leave_one_out']):.3g}",
            ]
            for row in _files.read_csv(results / "variance.csv")
        ],
    )


def _first(results: pathlib.Path) -> str:
    summary = _files.read_json(results / "first/summary.json")
    rows = _files.read_csv(results / "first/metrics.csv")
    return _table(
        ["", "ELBO (1 sample)", "bound (100 samples)"],
        [
            ["training, last epoch", f"{float(rows[-1]['elbo']):.2f}", ""],
            *(
                [split, *(f"{summary[f'{key}_{x}']:.2f}" for x in names)]
                for split, key, names in (
                    ("validation", "valid", ("elbo", "bound")),
                    ("test", "test", ("elbo", "bound")),
                )
            ),
        ],
    )


def _toy(results: pathlib.Path) -> str:
    rows = _files.read_csv(results / "toy/metrics.csv")
    last = max(int(row["step"]) for row in rows)
    lines = []
    for name in dict.fromkeys(row["estimator"] for row in rows):
        own = [row for row in rows if row["estimator"] == name]
        loss = [float(r["loss"]) for r in own if int(r["step"]) == last]
        at_2000 = [float(r["log_variance"]) for r in own if r["step"] == "2000"]
        lines.append(
            [
                name,
                f"{np.mean(loss):.5f} +- {np.std(loss, ddof=1):.5f}",
                f"{np.mean(at_2000):.2f} +- {np.std(at_2000, ddof=1):.2f}",
                len(loss),
            ]
        )
    return _table(
        ["estimator", f"loss at {last:,}", "log variance at 2,000", "seeds"],
        lines,
    )


def _bias(results: pathlib.Path) -> str:
    rows = _files.read_csv(results / "bias.csv")
    return _table(
        ["estimator", "distribution", "temperature", "bias / gradient norm"],
        [
            [
                f"`{row['estimator']}`",
                row["distribution"],
                row["temperature"],
                f"{row['relative_bias']} +- {row['standard_error']}",
            ]
            for row in rows
        ],
    )


def _components(results: pathlib.Path) -> str:
    rows = _files.read_csv(results / "components.csv")
    first = {row["component"]: row for row in reversed(rows)}
    names = dict.fromkeys(row["component"] for row in rows)
    return _table(
        ["component", "mean", "variance", "log variance"],
        [
            [
                name,
                f"{float(first[name]['mean']):.3f}",
                f"{float(first[name]['variance']):.4g}",
                f"{np.log(float(first[name]['variance'])):.2f}",
            ]
            for name in names
        ],
    )


def _vae(results: pathlib.Path) -> str:
    """Returns REBAR and RELAX beside the paper, every learning rate."""
    lines = []
    for run in _ordered(vae_runs(results), ("rebar", "relax")):
        cell = (run["dataset"], run["architecture"], run["estimator"])
        epoch, *paper = _PAPER[cell]
        lines.append(
            [
                *cell[:2],
                _label(run),
                f"{run['learning_rate']:g}",
                run["seed"],
                run["metrics"][-1]["epoch"],
                *_final(run),
                _number(-run["summary"].get("test_bound", np.nan)),
                f"{' / '.join(_number(x) for x in paper)} at {epoch}",
            ]
        )
    return _table(
        [
            "data",
            "architecture",
            "estimator",
            "learning rate",
            "seed",
            "epochs",
            "train",
            "valid",
            "test, 100 samples",
            "paper, train / valid",
        ],
        lines,
    )


def _vae_all(results: pathlib.Path) -> str:
    """Returns all estimators on MNIST, each at its best learning rate."""
    runs = [run for run in vae_runs(results) if run["dataset"] == "mnist"]
    lines = []
    for architecture in sorted({run["architecture"] for run in runs}):
        own = [run for run in runs if run["architecture"] == architecture]
        plain = [run for run in own if not _label(run).count("network ")]
        best = best_by_validation(plain)
        for run in sorted(best, key=lambda run: -_best_valid(run)):
            summary = run["summary"]
            lines.append(
                [
                    architecture,
                    f"`{run['estimator']}`",
                    f"{run['learning_rate']:g}",
                    *_final(run),
                    _number(-summary.get("test_bound", np.nan)),
                    f"{summary.get('valid_gradient_variance', np.nan):.3g}",
                    f"{run['milliseconds']:.2f}",
                    _seconds_to(run, _TARGET_ELBO),
                ]
            )
    return _table(
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


def _concrete(results: pathlib.Path) -> str:
    runs = [r for r in vae_runs(results) if r["estimator"] == "concrete"]
    return _table(
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
            run["estimator"],
            run["seed"],
        ),
    )


def _label(run: Mapping[str, Any]) -> str:
    """Returns the estimator, and its network where that is not the usual."""
    depth, decay = run["network_depth"], run["network_weight_decay"]
    if run["estimator"] == "relax" and (depth, decay) != (2, 0.0):
        return f"`relax`, network {depth} layers, decay {decay:g}"
    return f"`{run['estimator']}`"


def _final(run: Mapping[str, Any]) -> list[str]:
    """Returns -ELBO of training and validation at the last evaluation."""
    known = [row for row in run["metrics"] if row.get("val_elbo")]
    return [_number(-float(known[-1][name])) for name in ("elbo", "val_elbo")]


def _best_valid(run: Mapping[str, Any]) -> float:
    known = [row for row in run["metrics"] if row.get("val_elbo")]
    return max(float(row["val_elbo"]) for row in known)


def _seconds_to(run: Mapping[str, Any], elbo: float) -> str:
    for row in run["metrics"]:
        if row.get("val_elbo") and float(row["val_elbo"]) >= elbo:
            return f"{int(row['epoch']) * run['seconds_per_epoch']:.0f}"
    return "-"


def _number(x: float | None) -> str:
    return "-" if x is None or not np.isfinite(x) else f"{x:.2f}"


TABLES: dict[str, Callable[[pathlib.Path], str]] = {
    "benchmark": _benchmark,
    "bias": _bias,
    "components": _components,
    "concrete": _concrete,
    "first": _first,
    "toy": _toy,
    "unbiased": _unbiased,
    "vae": _vae,
    "vae_all": _vae_all,
    "variance": _variance,
}
