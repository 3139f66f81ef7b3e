r"""Times optimizer steps of the VAE, all updates included.

Writes the CSV file `--out` (columns `estimator, architecture, batch_size,
steps_per_call, jit_compile, replicas, median_ms, min_ms, max_ms,
compile_seconds, ratio_to_leave_one_out, ratio_to_single_runs`), and beside it
a `.json` with the device, the versions and the machine's matrix-product rate.

Example:
  python bin/benchmark.py --out=runs/benchmark.csv
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
flags.register_validator("out", bool, "must not be empty")
experiments.define_flags(experiments.BenchmarkSettings)


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    # It warns of retracing, since each case is a program of its own.
    tf.get_logger().setLevel("ERROR")
    settings = experiments.from_flags(experiments.BenchmarkSettings)
    try:
        rows = experiments.benchmark(settings, pathlib.Path(_OUT.value))
    except (ValueError, OSError) as error:
        sys.exit(f"benchmark: {error}")
    for row in [dict(zip(rows[0], rows[0], strict=True)), *rows]:
        print("  ".join(f"{value!s:>17}" for value in row.values()))


if __name__ == "__main__":
    experiments.keep_freed_memory()
    app.run(main)
