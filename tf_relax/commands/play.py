"""Plays episodes of a trained policy, and shows one of them.

FOLDER is that of a run of train_rl. The environment is gymnasium's,
whatever the policy was trained with.

Example:
  python bin/play.py runs/cartpole --video=runs/cartpole/play.gif
"""

import pathlib

from tf_relax import experiments
from tf_relax.commands._program import Program


def _run(run: str, settings: experiments.PlaySettings) -> None:
    experiments.print_table(experiments.play(settings, pathlib.Path(run)))


PROGRAM = Program(
    "play",
    __doc__,
    _run,
    (experiments.PlaySettings,),
    argument="FOLDER",
    device=False,
)
main = PROGRAM.main
