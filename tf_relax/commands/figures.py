"""Draws the paper's figures from the CSV files of runs.

  toy         loss and log-variance against steps, mean and band over seeds
  components  histograms of what a RELAX estimate is made of
  relaxation  f, and the control variates that REBAR and RELAX learn
  vae         training and validation curves against epochs and seconds
  variance    gradient variances of several estimators during one training
  growth      milliseconds a step against latents, batch, samples and layers
  study       ELBO, active units, KL and entropy, with and without warm-up
  rl          returns of policy gradients, and the variance of an episode's

Example:
  python bin/figures.py --results=results --out=results/figures
"""

import dataclasses
import pathlib

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What is drawn, and where the pictures go."""

    out: str = setting("", "Folder of the PNG files.", required=True)
    results: str = setting("results", "Folder of the runs.")
    figure: str = setting(
        ",".join(experiments.FIGURES),
        "Which, separated by commas.",
        choices=experiments.FIGURES,
        several=True,
    )


def _run(options: Options) -> None:
    for path in experiments.draw_figures(
        pathlib.Path(options.results),
        pathlib.Path(options.out),
        options.figure.split(","),
    ):
        print(path)


PROGRAM = Program("figures", __doc__, _run, (Options,), device=False)
main = PROGRAM.main
