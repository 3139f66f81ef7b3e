"""Pictures as PNG. matplotlib is imported only here, and only when used."""

import pathlib
from typing import Any

from absl import logging

from tf_relax import _output


def figure(rows: int, columns: int, width: float, height: float) -> Any:
    """Returns a matplotlib figure and its axes, or None without matplotlib.

    A missing matplotlib is no reason to lose a run: it is one warning.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        logging.warning(
            "No pictures: matplotlib is missing. Install it with "
            "`pip install 'tf_relax[plot]'`."
        )
        return None
    canvas = FigureCanvasAgg(Figure((width, height), layout="constrained"))
    return canvas.figure, canvas.figure.subplots(rows, columns, squeeze=False)


def plain_logarithmic(axis: Any) -> None:
    """Makes a matplotlib axis (`axes.xaxis`) logarithmic, with plain labels."""
    from matplotlib import ticker

    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def save(path: pathlib.Path, drawing: Any) -> None:
    """Writes a figure as PNG, atomically."""
    _output.replace(path, lambda draft: drawing.savefig(draft, dpi=120))
