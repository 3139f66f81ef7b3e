r"""Compares the estimators' gradients at one trained model or a black box.

Writes the CSV file `--out` (columns `estimator, num_samples,
gradient_variance, standard_error, ratio_to_leave_one_out, signal_to_noise,
bias_z, relative_bias, milliseconds, variance_time, f_evaluations,
needs_derivative, note`), beside it a `.png`, variance times time of each
estimator, and a `.json` with settings, versions and the device.

Examples:
  python bin/compare.py --model=runs/first/model.keras --out=runs/compare.csv
  python bin/compare.py --problem=black_box --out=runs/black_box.csv
"""

import pathlib
import sys

from absl import app
from absl import flags
import tensorflow as tf

from tf_relax import experiments

_MODEL = flags.DEFINE_string(
    "model", "", "The model.keras of a run of train_vae; of --problem=vae."
)
_OUT = flags.DEFINE_string("out", None, "Output CSV file.", required=True)
flags.register_validator("out", bool, "must not be empty")
experiments.define_flags(experiments.CompareSettings)


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    # It warns of retracing, since each case is a program of its own.
    tf.get_logger().setLevel("ERROR")
    settings = experiments.from_flags(experiments.CompareSettings)
    model = pathlib.Path(_MODEL.value) if _MODEL.value else None
    try:
        rows = experiments.compare(settings, model, pathlib.Path(_OUT.value))
    except (TypeError, ValueError, OSError) as error:
        sys.exit(f"compare: {error}")
    experiments.print_table(rows)


if __name__ == "__main__":
    experiments.keep_freed_memory()
    app.run(main)
