"""Trains a discrete VAE by an estimator of tf_relax.

Writes to `--out`: `flags.txt`, `config.json`, `metrics.csv`, `summary.json`,
`curves.png`, `images.png`, `model.keras`, `checkpoints/` and TensorBoard's
`events/`. Interrupted, with Ctrl-C or otherwise, it is resumed by the same
command. With `--strategy=multiworker` that is one command a process, each with
its own TF_CONFIG.

Examples:
  python bin/train_vae.py --flagfile=bin/configs/first.txt --out=runs/first
  python bin/train_vae.py --estimator=disarm --steps=2000 --out=runs/disarm
  python bin/train_vae.py --flagfile=runs/disarm/flags.txt --out=runs/again
"""

import dataclasses
import pathlib

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Where a run goes, and what trains it."""

    out: str = setting("", "Output folder.", required=True)
    strategy: str = setting(
        "none",
        "none: one device; mirrored: all GPUs of this machine; multiworker: "
        "those of all machines in TF_CONFIG. All make the same steps.",
        choices=experiments.STRATEGIES,
    )


def _run(options: Options, settings: experiments.VAESettings) -> None:
    experiments.train_vae(settings, pathlib.Path(options.out), options.strategy)


PROGRAM = Program(
    "train_vae",
    __doc__,
    _run,
    (Options, experiments.VAESettings),
    stopped="Stopped. The same command goes on from the newest checkpoint, or "
    "begins anew if there is none yet.",
)
main = PROGRAM.main
