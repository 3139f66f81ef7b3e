r"""Compares the estimators' gradient variance at one trained model.

Writes the CSV file `--out` (columns `estimator, num_samples,
gradient_variance, standard_error, ratio_to_leave_one_out`), and beside it a
`.json` with settings, versions and the device.

Example:
  python bin/compare.py --model=runs/first/model.keras --out=runs/variance.csv
"""

import pathlib
import sys

from absl import app
from absl import flags
import tensorflow as tf

from tf_relax import experiments

_MODEL = flags.DEFINE_string(
    "model", None, "The model.keras of a run of train_vae.", required=True
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
    model, out = pathlib.Path(_MODEL.value), pathlib.Path(_OUT.value)
    try:
        rows = experiments.compare(settings, model, out)
    except (ValueError, OSError) as error:
        sys.exit(f"compare: {error}")
    experiments.print_table(rows)


if __name__ == "__main__":
    experiments.keep_freed_memory()
    app.run(main)
