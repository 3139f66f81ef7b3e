"""Low-variance, unbiased gradients of E[f(b)] for TensorFlow.

`f` may be a black box and `b` may be discrete: LAX, DLAX and RELAX of
"Backpropagation through the Void", and what they are compared with.
"""

from tf_relax import _requirements

_requirements.check()

from tf_relax import control_variates  # noqa: E402
from tf_relax import datasets  # noqa: E402
from tf_relax import distributions  # noqa: E402
from tf_relax import estimators  # noqa: E402
from tf_relax import models  # noqa: E402
from tf_relax import testing  # noqa: E402
from tf_relax._version import __version__  # noqa: E402
from tf_relax.control_variates import ControlVariate  # noqa: E402
from tf_relax.estimators import DLAX  # noqa: E402
from tf_relax.estimators import Estimator  # noqa: E402
from tf_relax.estimators import expectation  # noqa: E402
from tf_relax.estimators import GradientEstimate  # noqa: E402
from tf_relax.estimators import LAX  # noqa: E402
from tf_relax.estimators import LeaveOneOut  # noqa: E402
from tf_relax.estimators import REBAR  # noqa: E402
from tf_relax.estimators import Reinforce  # noqa: E402
from tf_relax.estimators import RELAX  # noqa: E402
from tf_relax.estimators import weight_gradients  # noqa: E402

__all__ = [
    "ControlVariate",
    "DLAX",
    "Estimator",
    "GradientEstimate",
    "LAX",
    "LeaveOneOut",
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
