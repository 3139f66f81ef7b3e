r"""Writes the tables of README.md from the CSV files in results/.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; NAME is a
key of `TABLES` below.

Example:
  python bin/tables.py            # rewrites README.md
  python bin/tables.py --check    # fails if README.md is not up to date
"""

import csv
import json
import pathlib
import re
import sys

from absl import app
from absl import flags
import numpy as np

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_CHECK = flags.DEFINE_boolean("check", False, "Compare and write nothing.")


def _read(name):
    with open(_ROOT / "results" / name, newline="") as file:
        return list(csv.DictReader(file))


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


_FAMILIES = {
    "Bernoulli": "bernoulli",
    "one-hot categorical": "categorical",
    "normal": "normal",
    "multivariate normal": "mvn_diag",
}


def _unbiased():
    rows = _read("unbiased.csv")

    def cell(estimator, family):
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


def _benchmark():
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
            for row in _read("benchmark_cpu.csv")
        ],
    )


def _variance():
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
            for row in _read("variance.csv")
        ],
    )


def _first():
    summary = json.loads((_ROOT / "results/first/summary.json").read_text())
    rows = _read("first/metrics.csv")
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


def _toy():
    rows = _read("toy/metrics.csv")
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


TABLES = {
    "benchmark": _benchmark,
    "first": _first,
    "toy": _toy,
    "unbiased": _unbiased,
    "variance": _variance,
}


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    path = _ROOT / "README.md"
    old = path.read_text()
    new = re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda m: m[1] + TABLES[m[2]]() + "\n" + m[3],
        old,
        flags=re.DOTALL,
    )
    if _CHECK.value and new != old:
        sys.exit("tables: README.md is not what results/ say. Run tables.py.")
    if not _CHECK.value:
        path.write_text(new)


if __name__ == "__main__":
    app.run(main)
