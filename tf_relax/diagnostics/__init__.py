"""How good the gradients of several estimators are, on the same batch."""

from tf_relax.diagnostics._callback import GradientDiagnostics
from tf_relax.diagnostics._case import Case
from tf_relax.diagnostics._case import cases
from tf_relax.diagnostics._case import cases_of_models
from tf_relax.diagnostics._case import reference_of
from tf_relax.diagnostics._case import Terms
from tf_relax.diagnostics._evaluations import fits
from tf_relax.diagnostics._learn import fit_control_variates
from tf_relax.diagnostics._measure import measure
from tf_relax.diagnostics._measure import Measurement
from tf_relax.diagnostics._models import models_of
from tf_relax.diagnostics._plots import BIASED_FROM
from tf_relax.diagnostics._plots import draw_comparison
from tf_relax.diagnostics._plots import draw_history
from tf_relax.diagnostics._posterior import LayerPosterior
from tf_relax.diagnostics._posterior import posterior_of_layers
from tf_relax.diagnostics._posterior import PosteriorDiagnostics

__all__ = [
    "BIASED_FROM",
    "Case",
    "GradientDiagnostics",
    "LayerPosterior",
    "Measurement",
    "PosteriorDiagnostics",
    "Terms",
    "cases",
    "cases_of_models",
    "draw_comparison",
    "draw_history",
    "fit_control_variates",
    "fits",
    "measure",
    "models_of",
    "posterior_of_layers",
    "reference_of",
]
