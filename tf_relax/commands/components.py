"""Draws the components of RELAX's gradient at a trained one-layer VAE.

Writes histograms as CSV, for the second picture of bin/figures.py, and prints
mean and variance of each component.

Example:
  python bin/components.py --model=runs/first/model.keras --out=components.csv
"""

import dataclasses
import pathlib

from tf_relax import experiments
from tf_relax.commands._program import Program
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Whose components, and where the histograms go."""

    out: str = setting("", "CSV file to write.", required=True)
    model: str = setting(
        "", "The model.keras of a run of train_vae.", required=True
    )


def _run(options: Options, settings: experiments.ComponentsSettings) -> None:
    rows = experiments.components(
        settings, pathlib.Path(options.model), pathlib.Path(options.out)
    )
    experiments.print_table(rows)


PROGRAM = Program(
    "components",
    __doc__,
    _run,
    (Options, experiments.ComponentsSettings),
    out="table",
)
main = PROGRAM.main
