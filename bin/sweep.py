r"""Trains discrete VAEs side by side: the product of lists of settings.

The flags are those of `train_vae.py`; `--learning_rate`, `--seed`,
`--temperature`, `--network_weight_decay` and
`--control_variate_learning_rate_factor` may be lists with commas. All
replicas are one program; each learns what it would alone.

Writes to `--out`: `flags.txt`, `config.json`, `metrics.csv` with a row a
replica and epoch, `summary.json` with the best replica by validation ELBO and
the numbers of all, `curves.png` with bands over the seeds, `best.keras` and
`checkpoints/`. Interrupted, with Ctrl-C or otherwise, it is resumed by the
same command.

Example:
  python bin/sweep.py --flagfile=bin/configs/first.txt \
    --learning_rate=.005,.001,.0005 --seed=0,1,2 --out=runs/sweep
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
experiments.define_flags(experiments.SweepSettings)


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = experiments.from_flags(experiments.SweepSettings)
    try:
        experiments.train_sweep(settings, pathlib.Path(_OUT.value))
    except KeyboardInterrupt:
        logging.warning("Stopped. The same command resumes the sweep.")
        sys.exit(130)
    except (ArithmeticError, ValueError, OSError) as error:
        sys.exit(f"sweep: {error}")


if __name__ == "__main__":
    experiments.keep_freed_memory()
    app.run(main)
