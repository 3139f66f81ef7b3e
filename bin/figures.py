r"""Draws the paper's figures from the CSV files of runs.

  toy         loss and log-variance against steps, mean and band over seeds
  components  histograms of what a RELAX estimate is made of
  relaxation  f, and the control variates that REBAR and RELAX learn
  vae         training and validation curves against epochs and seconds
  variance    gradient variances of several estimators during one training
  growth      milliseconds a step against latents, batch, samples and layers
  rl          returns of policy gradients, and the variance of an episode's

Example:
  python bin/figures.py --results=results --out=results/figures
"""

import pathlib
import sys

from absl import app
from absl import flags

from tf_relax import experiments

_RESULTS = flags.DEFINE_string("results", "results", "Folder of the runs.")
_OUT = flags.DEFINE_string("out", None, "Folder of the PNGs.", required=True)
_FIGURE = flags.DEFINE_list(
    "figure", list(experiments.FIGURES), "Which, separated by commas."
)
flags.register_validator("out", bool, "must not be empty")


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    folders = pathlib.Path(_RESULTS.value), pathlib.Path(_OUT.value)
    try:
        drawn = experiments.draw_figures(*folders, _FIGURE.value)
    except (ValueError, OSError) as error:
        sys.exit(f"figures: {error}")
    for path in drawn:
        print(path)


if __name__ == "__main__":
    app.run(main)
