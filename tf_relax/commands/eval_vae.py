"""Evaluates a checkpoint of train_vae, a `.keras` file, on every split.

Prints, and with `--out` writes as CSV, the ELBO of one sample an image and
the importance-weighted bound of `--bound_samples`, in nats, with the standard
errors of these means over the images.

Example:
  python bin/eval_vae.py runs/first/model.keras
"""

import dataclasses
import pathlib

import tensorflow as tf

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Where the rows go."""

    out: str = setting("", "CSV file to write; empty: none.")


def _run(
    model: str, options: Options, settings: experiments.EvaluateSettings
) -> None:
    # It warns of retracing, since a last batch is of another size.
    tf.get_logger().setLevel("ERROR")
    rows = experiments.evaluate_vae(settings, pathlib.Path(model))
    if options.out:
        experiments.write_csv(pathlib.Path(options.out), rows)
    experiments.print_table(rows)


PROGRAM = Program(
    "eval_vae",
    __doc__,
    _run,
    (Options, experiments.EvaluateSettings),
    out="table",
    argument="CHECKPOINT",
)
main = PROGRAM.main
