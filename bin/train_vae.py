r"""Trains a discrete VAE by an estimator of tf_relax.

Writes to `--out`: `flags.txt`, `config.json`, `metrics.csv`, `summary.json`,
`curves.png`, `images.png`, `model.keras`, `checkpoints/` and TensorBoard's
`events/`. Interrupted, with Ctrl-C or otherwise, it is resumed by the same
command. With `--strategy=multiworker` that is one command a process, each with
its own TF_CONFIG.

Example:
  python bin/train_vae.py --flagfile=bin/configs/first.txt --out=runs/first
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
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "none",
    list(experiments.STRATEGIES),
    "none: one device; mirrored: all GPUs of this machine; multiworker: those "
    "of all machines in TF_CONFIG. All make the same steps.",
)
experiments.define_flags(experiments.VAESettings)


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = experiments.from_flags(experiments.VAESettings)
    out = pathlib.Path(_OUT.value)
    try:
        experiments.train_vae(settings, out, _STRATEGY.value)
    except KeyboardInterrupt:
        logging.warning("Stopped. The same command resumes the run.")
        sys.exit(130)
    except (ArithmeticError, ValueError, OSError) as error:
        sys.exit(f"train_vae: {error}")


if __name__ == "__main__":
    experiments.keep_freed_memory()
    app.run(main)
