r"""Runs the paper's toy: minimise E[(b - t)^2] over one Bernoulli logit.

Writes `flags.txt`, `config.json`, `metrics.csv` (columns `estimator, seed,
step, theta, loss, log_variance`) and `curves.png` to `--out`.

Example:
  python bin/toy.py --num_seeds=10 --out=runs/toy
"""

import pathlib
import sys

from absl import app
from absl import flags

from tf_relax import experiments

_OUT = flags.DEFINE_string("out", None, "Output folder.", required=True)
flags.register_validator("out", bool, "must not be empty")
experiments.define_flags(experiments.ToySettings)


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    settings = experiments.from_flags(experiments.ToySettings)
    try:
        experiments.run_toy(settings, pathlib.Path(_OUT.value))
    except (ValueError, OSError) as error:
        sys.exit(f"toy: {error}")


if __name__ == "__main__":
    app.run(main)
