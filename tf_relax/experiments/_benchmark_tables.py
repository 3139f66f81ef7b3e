"""Tables of milliseconds a step, made from the CSV files of benchmarks."""

from collections.abc import Mapping
import pathlib

from tf_relax.experiments import _benchmark_plot
from tf_relax.experiments import _files
from tf_relax.experiments._markdown import table_of

Row = Mapping[str, str]


def benchmark(results: pathlib.Path) -> str:
    """Returns a table of a few estimators in all modes, with their floors."""
    return table_of(
        [
            "estimator",
            "c learns once in",
            "steps a call",
            "XLA",
            "ms a step (min-max)",
            "ratio",
            "floor (ms)",
            "part of it",
            "with main memory",
        ],
        [
            [
                row["estimator"],
                row["control_variate_every"],
                row["steps_per_call"],
                {"True": "yes", "False": "no"}[row["jit_compile"]],
                f"{float(row['median_ms']):.2f} ({float(row['min_ms']):.2f}-"
                f"{float(row['max_ms']):.2f})",
                f"{float(row['ratio_to_leave_one_out']):.2f}",
                f"{float(row['floor_ms']):.2f}",
                f"{float(row['fraction_of_floor']):.2f}",
                f"{float(row['memory_fraction']):.2f}",
            ]
            for row in _files.read_csv(results / "benchmark_cpu.csv")
        ],
    )


def benchmark_grid(results: pathlib.Path) -> str:
    """Returns a table of every estimator, the cheapest first.

    A column for each architecture and batch size has the milliseconds of a
    step, of many in one program, and their ratio to leave-one-out's. The other
    columns are of the one case whose memory was measured.
    """
    rows = {_key(row): row for row in _benchmark_plot.grid_rows(results)}
    memory = _files.read_csv(results / "grid" / "memory.csv")
    architecture, size, steps, _ = _key(memory[0])
    cells = sorted({key[:2] for key in rows})
    lines = sorted(
        (
            float(rows[_key(row)]["median_ms"]),
            row["estimator"],
            row["peak_mib"],
        )
        for row in memory
    )
    return table_of(
        [
            "estimator",
            *(f"{name}, {batch}" for name, batch in cells),
            "one step a call",
            "compiled in (s)",
            "memory (MiB)",
        ],
        [
            [
                f"`{name}`",
                *(_time(rows.get((*cell, steps, name))) for cell in cells),
                _time(rows[architecture, size, 1, name]),
                _seconds(rows[architecture, size, steps, name]),
                peak,
            ]
            for _, name, peak in lines
        ],
    )


def _key(row: Row) -> tuple[str, int, int, str]:
    return (
        row["architecture"],
        int(row["batch_size"]),
        int(row["steps_per_call"]),
        row["estimator"],
    )


def _time(row: Row | None) -> str:
    if row is None:
        return ""
    ratio = float(row["ratio_to_leave_one_out"])
    return f"{float(row['median_ms']):.3g} ({ratio:.2f})"


def _seconds(row: Row) -> str:
    return f"{float(row['compile_seconds']):.1f}"
