"""TFP distributions that know the gradient of their expectations."""

from tf_relax.distributions._bernoulli import Bernoulli
from tf_relax.distributions._categorical import OneHotCategorical
from tf_relax.distributions._chain import Chain
from tf_relax.distributions._independent import Independent
from tf_relax.distributions._methods import GradientMethods
from tf_relax.distributions._normal import MultivariateNormalDiag
from tf_relax.distributions._normal import Normal

__all__ = [
    "Bernoulli",
    "Chain",
    "GradientMethods",
    "Independent",
    "MultivariateNormalDiag",
    "Normal",
    "OneHotCategorical",
]
