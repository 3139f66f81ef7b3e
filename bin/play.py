r"""Plays episodes of a trained policy, and shows one of them.

RUN is the folder of a run of bin/train_rl.py. The environment is gymnasium's,
whatever the policy was trained with.

Example:
  python bin/play.py runs/cartpole --video=runs/cartpole/play.gif
"""

import pathlib
import sys

from absl import app

from tf_relax import experiments

experiments.define_flags(experiments.PlaySettings)


def main(argv):
    """Runs the command line."""
    if len(argv) != 2:
        raise app.UsageError(
            f"Expected one folder of a run. Received: {argv[1:]}"
        )
    settings = experiments.from_flags(experiments.PlaySettings)
    try:
        rows = experiments.play(settings, pathlib.Path(argv[1]))
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"play: {error}")
    experiments.print_table(rows)


if __name__ == "__main__":
    app.run(main)
