"""Gradient estimators: (draw, f's value, control variate) -> gradient.

One module an estimator. An estimator knows no model and no optimizer.
"""

from tf_relax.estimators._concrete import Concrete
from tf_relax.estimators._dlax import DLAX
from tf_relax.estimators._estimator import Estimate
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._estimator import GradientEstimate
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._expectation import expectation
from tf_relax.estimators._lax import LAX
from tf_relax.estimators._layers import layer_examples
from tf_relax.estimators._layers import LayerExamples
from tf_relax.estimators._leave_one_out import LeaveOneOut
from tf_relax.estimators._muprop import MuProp
from tf_relax.estimators._nvil import Baseline
from tf_relax.estimators._nvil import NVIL
from tf_relax.estimators._rebar import REBAR
from tf_relax.estimators._registry import get
from tf_relax.estimators._registry import names
from tf_relax.estimators._reinforce import MovingAverage
from tf_relax.estimators._reinforce import Reinforce
from tf_relax.estimators._relax import RELAX
from tf_relax.estimators._weights import weight_gradients
from tf_relax.estimators._weights import WeightGradients

__all__ = [
    "Baseline",
    "Concrete",
    "DLAX",
    "Estimate",
    "Estimator",
    "GradientEstimate",
    "LAX",
    "LayerExamples",
    "LeaveOneOut",
    "MovingAverage",
    "MuProp",
    "NVIL",
    "REBAR",
    "RELAX",
    "Reinforce",
    "WeightGradients",
    "expectation",
    "get",
    "layer_examples",
    "names",
    "value_and_derivative",
    "weight_gradients",
]
