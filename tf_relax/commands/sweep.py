r"""Trains discrete VAEs side by side: the product of lists of settings.

The flags are those of train_vae; `--learning_rate`, `--seed`,
`--kl_warmup_epochs`, `--temperature`, `--network_weight_decay` and
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

import dataclasses
import pathlib

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Where the replicas go."""

    out: str = setting("", "Output folder.", required=True)


def _run(options: Options, settings: experiments.SweepSettings) -> None:
    experiments.train_sweep(settings, pathlib.Path(options.out))


PROGRAM = Program(
    "sweep",
    __doc__,
    _run,
    (Options, experiments.SweepSettings),
    stopped="Stopped. The same command goes on from the newest checkpoint, or "
    "begins anew if there is none yet.",
)
main = PROGRAM.main
