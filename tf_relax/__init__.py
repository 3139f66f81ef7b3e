"""Low-variance, unbiased gradients of E[f(b)] for TensorFlow.

`f` may be a black box and `b` may be discrete: LAX, DLAX and RELAX of
"Backpropagation through the Void", and what they are compared with.
"""

from tf_relax import _requirements

_requirements.check()

from tf_relax import control_variates
from tf_relax import datasets
from tf_relax import distributions
from tf_relax import estimators
from tf_relax import models
from tf_relax import testing
from tf_relax._version import __version__
from tf_relax.control_variates import ControlVariate
from tf_relax.estimators import Concrete
from tf_relax.estimators import DLAX
from tf_relax.estimators import Estimator
from tf_relax.estimators import expectation
from tf_relax.estimators import GradientEstimate
from tf_relax.estimators import LAX
from tf_relax.estimators import LeaveOneOut
from tf_relax.estimators import MuProp
from tf_relax.estimators import NVIL
from tf_relax.estimators import REBAR
from tf_relax.estimators import Reinforce
from tf_relax.estimators import RELAX
from tf_relax.estimators import weight_gradients

__all__ = [
    "Concrete",
    "ControlVariate",
    "DLAX",
    "Estimator",
    "GradientEstimate",
    "LAX",
    "LeaveOneOut",
    "MuProp",
    "NVIL",
    "REBAR",
    "RELAX",
    "Reinforce",
    "__version__",
    "control_variates",
    "datasets",
    "distributions",
    "estimators",
    "expectation",
    "models",
    "testing",
    "weight_gradients",
]
