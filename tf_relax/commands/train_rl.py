"""Trains policies by A2C, REINFORCE, LAX or RELAX policy gradients.

Writes to `--out`: `flags.txt`, `config.json`, `metrics.csv`, `summary.json`,
`curves.png`, `checkpoint.npz`, TensorBoard's `events/`, and `variance.csv` if
`--variance_every` is set. Interrupted, with Ctrl-C or otherwise, it is
resumed by the same command.

Example:
  python bin/train_rl.py --env=CartPole-v1 --num_seeds=5 --out=runs/cartpole
"""

import dataclasses
import pathlib

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Where a run goes."""

    out: str = setting("", "Output folder.", required=True)


def _run(options: Options, settings: experiments.RLSettings) -> None:
    summary = experiments.train_rl(settings, pathlib.Path(options.out))
    experiments.print_table(
        [{"seed": seed} | run for seed, run in summary["runs"].items()]
    )


PROGRAM = Program(
    "train_rl",
    __doc__,
    _run,
    (Options, experiments.RLSettings),
    stopped="Stopped. The same command goes on from the newest checkpoint, or "
    "begins anew if there is none yet.",
)
main = PROGRAM.main
