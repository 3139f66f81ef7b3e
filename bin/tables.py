r"""Writes the tables of README and docs/ from the CSV files in results/.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`.

Example:
  python bin/tables.py            # rewrites README.md and docs/results.md
  python bin/tables.py --check    # fails if one is not up to date
"""

import pathlib
import sys

from absl import app
from absl import flags

from tf_relax import experiments

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_CHECK = flags.DEFINE_boolean("check", False, "Compare and write nothing.")


def main(argv):
    """Runs the command line."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    for page in ("README.md", "docs/results.md"):
        same = experiments.write_tables(
            _ROOT / page, _ROOT / "results", check=_CHECK.value
        )
        if _CHECK.value and not same:
            sys.exit(f"tables: {page} is not what results/ say. Run tables.py.")


if __name__ == "__main__":
    app.run(main)
