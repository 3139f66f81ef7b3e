"""Gradient estimators: (draw, f's value, control variate) -> gradient.

One module an estimator. An estimator knows no model and no optimizer.
"""

from tf_relax.estimators._arm import ARM
from tf_relax.estimators._arms import ARMS
from tf_relax.estimators._carms import CARMS
from tf_relax.estimators._checks import check_kind
from tf_relax.estimators._concrete import Concrete
from tf_relax.estimators._disarm import DisARM
from tf_relax.estimators._disarm_sb import DisARMSB
from tf_relax.estimators._dlax import DLAX
from tf_relax.estimators._double_cv import DoubleCV
from tf_relax.estimators._enumeration import Enumeration
from tf_relax.estimators._estimator import Estimate
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._estimator import GradientEstimate
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._expectation import expectation
from tf_relax.estimators._gapped_straight_through import GappedStraightThrough
from tf_relax.estimators._gumbel_rao import GumbelRao
from tf_relax.estimators._gumbel_straight_through import GumbelStraightThrough
from tf_relax.estimators._lax import LAX
from tf_relax.estimators._layers import check_layers
from tf_relax.estimators._layers import layer_examples
from tf_relax.estimators._layers import LayerExamples
from tf_relax.estimators._leave_one_out import LeaveOneOut
from tf_relax.estimators._local_expectation import LocalExpectation
from tf_relax.estimators._muprop import MuProp
from tf_relax.estimators._nvil import Baseline
from tf_relax.estimators._nvil import NVIL
from tf_relax.estimators._rebar import REBAR
from tf_relax.estimators._registry import class_of
from tf_relax.estimators._registry import get
from tf_relax.estimators._registry import names
from tf_relax.estimators._reinforce import MovingAverage
from tf_relax.estimators._reinforce import Reinforce
from tf_relax.estimators._reinmax import ReinMax
from tf_relax.estimators._relax import RELAX
from tf_relax.estimators._rodeo import RODEO
from tf_relax.estimators._rodeo import Surrogate
from tf_relax.estimators._straight_through import StraightThrough
from tf_relax.estimators._unordered_set import UnorderedSet
from tf_relax.estimators._vargrad import VarGrad
from tf_relax.estimators._weights import weight_gradients
from tf_relax.estimators._weights import WeightGradients

__all__ = [
    "ARM",
    "ARMS",
    "Baseline",
    "CARMS",
    "Concrete",
    "DLAX",
    "DisARM",
    "DisARMSB",
    "DoubleCV",
    "Enumeration",
    "Estimate",
    "Estimator",
    "GappedStraightThrough",
    "GradientEstimate",
    "GumbelRao",
    "GumbelStraightThrough",
    "LAX",
    "LayerExamples",
    "LeaveOneOut",
    "LocalExpectation",
    "MovingAverage",
    "MuProp",
    "NVIL",
    "REBAR",
    "RELAX",
    "RODEO",
    "ReinMax",
    "Reinforce",
    "StraightThrough",
    "Surrogate",
    "UnorderedSet",
    "VarGrad",
    "WeightGradients",
    "check_kind",
    "check_layers",
    "class_of",
    "expectation",
    "get",
    "layer_examples",
    "names",
    "value_and_derivative",
    "weight_gradients",
]
