r"""Times optimizer steps of the VAE, or policy gradients, updates included.

Writes the CSV file `--out`: with `--suite=vae` the columns `estimator,
architecture, batch_size, steps_per_call, jit_compile, replicas, num_latents,
num_samples, median_ms, min_ms, max_ms, compile_seconds,
ratio_to_leave_one_out, ratio_to_single_runs, matrix_mflop, adam_mbytes,
floor_ms, fraction_of_floor, memory_fraction` and, if asked for, `peak_mib`,
with `--suite=rl` environment steps a second and the milliseconds of an update
and of its parts, with `--suite=precision` what float32, TF32 and bfloat16
matrix products do to a gradient and to a step. Beside it a `.json` with the
device, its rates and the versions, and for the VAE a plot, `.png`.

Examples:
  python bin/benchmark.py --out=runs/benchmark.csv
  python bin/benchmark.py --suite=rl --out=runs/rl_benchmark.csv
  python bin/benchmark.py --estimator=relax --replicas=1,8 \
    --jit_compile=true --out=runs/replicas.csv
"""

from collections.abc import Callable
import dataclasses
import pathlib
from typing import Any

import tensorflow as tf

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting

_SUITES: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "vae": experiments.benchmark,
    "rl": experiments.rl_benchmark,
    "precision": experiments.precision,
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What is timed, and where the rows go."""

    out: str = setting("", "CSV file to write.", required=True)
    suite: str = setting("vae", "What is timed.", choices=_SUITES)


def _run(
    options: Options,
    vae: experiments.BenchmarkSettings,
    rl: experiments.RLBenchmarkSettings,
    precision: experiments.PrecisionSettings,
) -> None:
    # It warns of retracing, since each case is a program of its own.
    tf.get_logger().setLevel("ERROR")
    settings = {"vae": vae, "rl": rl, "precision": precision}[options.suite]
    rows = _SUITES[options.suite](settings, pathlib.Path(options.out))
    experiments.print_table(rows)


PROGRAM = Program(
    "benchmark",
    __doc__,
    _run,
    (
        Options,
        experiments.BenchmarkSettings,
        experiments.RLBenchmarkSettings,
        experiments.PrecisionSettings,
    ),
    out="table",
)
main = PROGRAM.main
