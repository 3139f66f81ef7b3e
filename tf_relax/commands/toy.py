"""Runs the paper's toy: minimise E[(b - t)^2] over one Bernoulli logit.

Writes `flags.txt`, `config.json`, `metrics.csv` (columns `estimator, seed,
step, theta, loss, log_variance`) and `curves.png` to `--out`.

Example:
  python bin/toy.py --num_seeds=10 --out=runs/toy
"""

import dataclasses
import pathlib

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Where the runs go."""

    out: str = setting("", "Output folder.", required=True)


def _run(options: Options, settings: experiments.ToySettings) -> None:
    experiments.run_toy(settings, pathlib.Path(options.out))


PROGRAM = Program("toy", __doc__, _run, (Options, experiments.ToySettings))
main = PROGRAM.main
