"""The table "which estimator when", every number of it measured."""

from collections.abc import Mapping, Sequence
import pathlib

from tf_relax.diagnostics import BIASED_FROM
from tf_relax.experiments import _files
from tf_relax.experiments._markdown import table_of

_PROBLEMS = {
    "vae": "200 bits",
    "categorical": "20 x 10 one-hot",
    "black_box": "black box",
}
_REFERENCE = "leave_one_out"

Row = Mapping[str, str]


def which(results: pathlib.Path) -> str:
    """Returns estimators beside three problems, the biased ones last.

    Variance, and variance times time, are in those of leave-one-out. A cell
    is empty where the estimator does not fit, or f has no derivative for it.
    """
    by_problem = {
        problem: _least(_files.read_csv(results / "compare" / f"{problem}.csv"))
        for problem in _PROBLEMS
    }
    names = sorted({name for rows in by_problem.values() for name in rows})
    lines = []
    for name in names:
        own = [rows.get(name, {}) for rows in by_problem.values()]
        measured = [row for row in own if row.get("gradient_variance")]
        if measured:
            scores = [float(row["bias_z"]) for row in measured]
            numbers = [
                cell
                for rows in by_problem.values()
                for cell in _cells(rows.get(name, {}), rows[_REFERENCE])
            ]
            lines.append(
                (
                    max(scores) > BIASED_FROM,
                    [
                        f"`{name}`",
                        measured[0]["num_samples"],
                        _distinct(measured, "f_evaluations"),
                        _distinct(measured, "needs_derivative"),
                        _bias(measured),
                        *numbers,
                    ],
                )
            )
    header = [
        "estimator",
        "samples",
        "values of f",
        "f'",
        "bias",
        *(
            f"{title}: {quantity}"
            for title in _PROBLEMS.values()
            for quantity in ("variance", "x time")
        ),
    ]
    lines.sort(key=lambda line: line[0])  # Stable: names stay in order.
    return table_of(header, [cells for _, cells in lines])


def _least(rows: Sequence[Row]) -> dict[str, Row]:
    """Returns each estimator's row of the fewest samples."""
    return {row["estimator"]: row for row in reversed(rows)}


def _cells(row: Row, reference: Row) -> list[str]:
    """Returns two cells, in those of the reference."""
    return [
        f"{float(row[key]) / float(reference[key]):.3g}" if row.get(key) else ""
        for key in ("gradient_variance", "variance_time")
    ]


def _distinct(rows: Sequence[Row], key: str) -> str:
    return " / ".join(dict.fromkeys(row[key] for row in rows))


def _bias(rows: Sequence[Row]) -> str:
    """Returns the largest z, and the largest bias if that is one."""
    worst = max(rows, key=lambda row: float(row["bias_z"]))
    z = float(worst["bias_z"])
    if z <= BIASED_FROM:
        return f"z = {z:.1f}"
    largest = max(float(row["relative_bias"]) for row in rows)
    return f"z = {z:.1f}, {largest:.2g} of the norm"
