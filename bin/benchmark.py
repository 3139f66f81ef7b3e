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

import pathlib
import sys

from absl import app
from absl import flags
import tensorflow as tf

from tf_relax import experiments

_OUT = flags.DEFINE_string("out", None, "Output CSV file.", required=True)
_SUITE = flags.DEFINE_enum(
    "suite", "vae", ["vae", "rl", "precision"], "What is timed."
)
flags.register_validator("out", bool, "must not be empty")
experiments.define_flags(experiments.BenchmarkSettings)
experiments.define_flags(experiments.RLBenchmarkSettings)
experiments.define_flags(experiments.PrecisionSettings)

_SUITES = {
    "vae": (experiments.benchmark, experiments.BenchmarkSettings),
    "rl": (experiments.rl_benchmark, experiments.RLBenchmarkSettings),
    "precision": (experiments.precision, experiments.PrecisionSettings),
}


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    # It warns of retracing, since each case is a program of its own.
    tf.get_logger().setLevel("ERROR")
    benchmark, kind = _SUITES[_SUITE.value]
    settings = experiments.from_flags(kind)
    try:
        rows = benchmark(settings, pathlib.Path(_OUT.value))
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"benchmark: {error}")
    experiments.print_table(rows)


if __name__ == "__main__":
    experiments.keep_freed_memory()
    app.run(main)
