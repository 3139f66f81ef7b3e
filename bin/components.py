r"""Draws the components of RELAX's gradient at a trained one-layer VAE.

Writes histograms as CSV, for the second picture of bin/figures.py, and prints
mean and variance of each component.

Example:
  python bin/components.py --model=runs/first/model.keras --out=components.csv
"""

import pathlib
import sys

from absl import app
from absl import flags

from tf_relax import experiments

_MODEL = flags.DEFINE_string(
    "model", None, "The model.keras of a run of train_vae.", required=True
)
_OUT = flags.DEFINE_string("out", None, "Output CSV file.", required=True)
flags.register_validator("out", bool, "must not be empty")
experiments.define_flags(experiments.ComponentsSettings)


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    settings = experiments.from_flags(experiments.ComponentsSettings)
    model, out = pathlib.Path(_MODEL.value), pathlib.Path(_OUT.value)
    try:
        rows = experiments.components(settings, model, out)
    except (ValueError, OSError) as error:
        sys.exit(f"components: {error}")
    experiments.print_table(rows)


if __name__ == "__main__":
    app.run(main)
