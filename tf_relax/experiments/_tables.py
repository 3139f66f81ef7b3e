"""README's tables, made from the CSV files in `results/`."""

from collections.abc import Callable
import pathlib
import re

import numpy as np

from tf_relax.experiments import _benchmark_tables
from tf_relax.experiments import _compare_tables
from tf_relax.experiments import _files
from tf_relax.experiments import _rl_results
from tf_relax.experiments import _study
from tf_relax.experiments import _vae_tables
from tf_relax.experiments._markdown import table_of


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

    return table_of(
        ["estimator", *_FAMILIES],
        [
            [f"`{name}`", *(cell(name, f) for f in _FAMILIES.values())]
            for name in dict.fromkeys(row["estimator"] for row in rows)
        ],
    )


def _variance(results: pathlib.Path) -> str:
    return _variances(results / "variance.csv")


def _variance_pairs(results: pathlib.Path) -> str:
    return _variances(results / "variance_pairs.csv")


def _variance_pairs_nonlinear(results: pathlib.Path) -> str:
    return _variances(results / "variance_pairs_nonlinear.csv")


def _variances(path: pathlib.Path) -> str:
    return table_of(
        ["estimator", "samples", "variance (nats^2)", "to leave-one-out's"],
        [
            [
                row["estimator"],
                row["num_samples"],
                f"{float(row['gradient_variance']):.4g} +- "
                f"{float(row['standard_error']):.2g}",
                f"{float(row['ratio_to_leave_one_out']):.3g}",
            ]
            for row in _files.read_csv(path)
        ],
    )


def _first(results: pathlib.Path) -> str:
    summary = _files.read_json(results / "first/summary.json")
    rows = _files.read_csv(results / "first/metrics.csv")
    return table_of(
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
    return table_of(
        ["estimator", f"loss at {last:,}", "log variance at 2,000", "seeds"],
        lines,
    )


def _bias(results: pathlib.Path) -> str:
    rows = _files.read_csv(results / "bias.csv")
    return table_of(
        [
            "estimator",
            "distribution",
            "temperature",
            "f",
            "bias / gradient norm",
        ],
        [
            [
                f"`{row['estimator']}`",
                row["distribution"],
                row["temperature"],
                row["function"],
                f"{row['relative_bias']} +- {row['standard_error']}",
            ]
            for row in rows
        ],
    )


def _components(results: pathlib.Path) -> str:
    rows = _files.read_csv(results / "components.csv")
    first = {row["component"]: row for row in reversed(rows)}
    names = dict.fromkeys(row["component"] for row in rows)
    return table_of(
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


TABLES: dict[str, Callable[[pathlib.Path], str]] = {
    "benchmark": _benchmark_tables.benchmark,
    "benchmark_grid": _benchmark_tables.benchmark_grid,
    "bias": _bias,
    "components": _components,
    "concrete": _vae_tables.concrete,
    "first": _first,
    "rl": _rl_results.rl,
    "rl_benchmark": _rl_results.rl_benchmark,
    "rl_grid": _rl_results.rl_grid,
    "rl_share": _rl_results.rl_share,
    "study": _study.study,
    "study_estimators": _study.study_estimators,
    "study_rare": _study.study_rare,
    "toy": _toy,
    "unbiased": _unbiased,
    "vae": _vae_tables.vae,
    "vae_all": _vae_tables.vae_all,
    "vae_each": _vae_tables.vae_each,
    "variance": _variance,
    "variance_pairs": _variance_pairs,
    "variance_pairs_nonlinear": _variance_pairs_nonlinear,
    "which": _compare_tables.which,
}
