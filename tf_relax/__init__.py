"""Low-variance, unbiased gradients of E[f(b)] for TensorFlow.

`f` may be a black box and `b` may be discrete: LAX, DLAX and RELAX of
"Backpropagation through the Void", and what they are compared with.
"""

from tf_relax import _requirements

_requirements.check()

from tf_relax import control_variates as control_variates
from tf_relax import datasets as datasets
from tf_relax import diagnostics as diagnostics
from tf_relax import distributions as distributions
from tf_relax import estimators as estimators
from tf_relax import models as models
from tf_relax import relaxations as relaxations
from tf_relax import testing as testing
from tf_relax._version import __version__ as __version__
from tf_relax.control_variates import ControlVariate as ControlVariate
from tf_relax.estimators import Estimator as Estimator
from tf_relax.estimators import expectation as expectation
from tf_relax.estimators import GradientEstimate as GradientEstimate
from tf_relax.estimators import multi_sample_bound as multi_sample_bound
from tf_relax.estimators import weight_gradients as weight_gradients
from tf_relax.estimators._all import *
