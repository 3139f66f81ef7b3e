"""Low-variance, unbiased gradients of E[f(b)] for TensorFlow.

`f` may be a black box and `b` may be discrete: LAX, DLAX and RELAX of
"Backpropagation through the Void", and what they are compared with.
"""

from tf_relax import _requirements

_requirements.check()

from tf_relax import control_variates
from tf_relax import datasets
from tf_relax import diagnostics
from tf_relax import distributions
from tf_relax import estimators
from tf_relax import models
from tf_relax import testing
from tf_relax._version import __version__
from tf_relax.control_variates import ControlVariate
from tf_relax.estimators import ARM
from tf_relax.estimators import ARMS
from tf_relax.estimators import CARMS
from tf_relax.estimators import Concrete
from tf_relax.estimators import DisARM
from tf_relax.estimators import DisARMSB
from tf_relax.estimators import DLAX
from tf_relax.estimators import DoubleCV
from tf_relax.estimators import Enumeration
from tf_relax.estimators import Estimator
from tf_relax.estimators import expectation
from tf_relax.estimators import GappedStraightThrough
from tf_relax.estimators import GradientEstimate
from tf_relax.estimators import GumbelRao
from tf_relax.estimators import GumbelStraightThrough
from tf_relax.estimators import LAX
from tf_relax.estimators import LeaveOneOut
from tf_relax.estimators import LocalExpectation
from tf_relax.estimators import MuProp
from tf_relax.estimators import NVIL
from tf_relax.estimators import REBAR
from tf_relax.estimators import Reinforce
from tf_relax.estimators import ReinMax
from tf_relax.estimators import RELAX
from tf_relax.estimators import RODEO
from tf_relax.estimators import StraightThrough
from tf_relax.estimators import UnorderedSet
from tf_relax.estimators import VarGrad
from tf_relax.estimators import weight_gradients

__all__ = [
    "ARM",
    "ARMS",
    "CARMS",
    "Concrete",
    "ControlVariate",
    "DLAX",
    "DisARM",
    "DisARMSB",
    "DoubleCV",
    "Enumeration",
    "Estimator",
    "GappedStraightThrough",
    "GradientEstimate",
    "GumbelRao",
    "GumbelStraightThrough",
    "LAX",
    "LeaveOneOut",
    "LocalExpectation",
    "MuProp",
    "NVIL",
    "REBAR",
    "RELAX",
    "RODEO",
    "ReinMax",
    "Reinforce",
    "StraightThrough",
    "UnorderedSet",
    "VarGrad",
    "__version__",
    "control_variates",
    "datasets",
    "diagnostics",
    "distributions",
    "estimators",
    "expectation",
    "models",
    "testing",
    "weight_gradients",
]
