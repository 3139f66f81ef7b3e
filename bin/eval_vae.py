r"""Evaluates a checkpoint of bin/train_vae.py on every split.

Prints, and with `--out` writes as CSV, the ELBO of one sample an image and
the importance-weighted bound of `--bound_samples`, in nats, with the standard
errors of these means over the images.

Example:
  python bin/eval_vae.py runs/first/model.keras
"""

import pathlib
import sys

from absl import app
from absl import flags
import tensorflow as tf

from tf_relax import experiments

_OUT = flags.DEFINE_string("out", "", "CSV file to write; empty: none.")
experiments.define_flags(experiments.EvaluateSettings)


def main(argv):
    """Runs the command line."""
    if len(argv) != 2:
        raise app.UsageError(
            f"Expected one checkpoint, a .keras file. Received: {argv[1:]}"
        )
    # It warns of retracing, since a last batch is of another size.
    tf.get_logger().setLevel("ERROR")
    settings = experiments.from_flags(experiments.EvaluateSettings)
    try:
        rows = experiments.evaluate_vae(settings, pathlib.Path(argv[1]))
        if _OUT.value:
            experiments.write_csv(pathlib.Path(_OUT.value), rows)
    except (ValueError, OSError) as error:
        sys.exit(f"eval_vae: {error}")
    experiments.print_table(rows)


if __name__ == "__main__":
    experiments.keep_freed_memory()
    app.run(main)
