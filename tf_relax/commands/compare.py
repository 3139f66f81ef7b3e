"""Compares the estimators' gradients at one trained model or a black box.

Writes the CSV file `--out` (columns `estimator, num_samples,
gradient_variance, standard_error, ratio_to_leave_one_out, signal_to_noise,
bias_z, relative_bias, milliseconds, variance_time, f_evaluations,
needs_derivative, note`), beside it a `.png`, variance times time of each
estimator, and a `.json` with settings, versions and the device.

Examples:
  python bin/compare.py --model=runs/first/model.keras --out=runs/compare.csv
  python bin/compare.py --problem=black_box --out=runs/black_box.csv
"""

import dataclasses
import pathlib

import tensorflow as tf

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What is compared at, and where the rows go."""

    out: str = setting("", "CSV file to write.", required=True)
    model: str = setting(
        "", "The model.keras of a run of train_vae; of --problem=vae."
    )


def _run(options: Options, settings: experiments.CompareSettings) -> None:
    # It warns of retracing, since each case is a program of its own.
    tf.get_logger().setLevel("ERROR")
    model = pathlib.Path(options.model) if options.model else None
    rows = experiments.compare(settings, model, pathlib.Path(options.out))
    experiments.print_table(rows)


PROGRAM = Program(
    "compare",
    __doc__,
    _run,
    (Options, experiments.CompareSettings),
    out="table",
)
main = PROGRAM.main
