"""Writes the tables of README and docs/ from the CSV files in results/.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`.

Examples:
  python bin/tables.py            # rewrites README.md and docs/results.md
  python bin/tables.py --check    # fails if one is not up to date
"""

import dataclasses
import pathlib

import tf_relax
from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What is done."""

    check: bool = setting(False, "Whether to compare and write nothing.")


def _run(options: Options) -> None:
    root = pathlib.Path(tf_relax.__file__).resolve().parent.parent
    for page in ("README.md", "docs/results.md"):
        same = experiments.write_tables(
            root / page, root / "results", check=options.check
        )
        if options.check and not same:
            raise ValueError(f"{page} is not what results/ say. Run tables.py.")


PROGRAM = Program("tables", __doc__, _run, (Options,), device=False)
main = PROGRAM.main
