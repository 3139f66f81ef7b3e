r"""Trains policies by A2C, REINFORCE, LAX or RELAX policy gradients.

Writes to `--out`: `flags.txt`, `config.json`, `metrics.csv`, `summary.json`,
`curves.png`, `checkpoint.npz`, TensorBoard's `events/`, and `variance.csv` if
`--variance_every` is set. Interrupted, with Ctrl-C or otherwise, it is
resumed by the same command.

Example:
  python bin/train_rl.py --env=CartPole-v1 --num_seeds=5 --out=runs/cartpole
"""

import pathlib
import signal
import sys

from absl import app
from absl import flags
from absl import logging

from tf_relax import experiments

_OUT = flags.DEFINE_string("out", None, "Output folder.", required=True)
flags.register_validator("out", bool, "must not be empty")
experiments.define_flags(experiments.RLSettings)


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = experiments.from_flags(experiments.RLSettings)
    try:
        summary = experiments.train_rl(settings, pathlib.Path(_OUT.value))
    except KeyboardInterrupt:
        logging.warning("Stopped. The same command resumes the run.")
        sys.exit(130)
    except (ArithmeticError, ValueError, OSError, ImportError) as error:
        sys.exit(f"train_rl: {error}")
    experiments.print_table(
        [{"seed": seed} | run for seed, run in summary["runs"].items()]
    )


if __name__ == "__main__":
    experiments.keep_freed_memory()
    app.run(main)
