"""Control variates c(z): the relaxed f, networks, and what combines them."""

from tf_relax.control_variates._base import bind
from tf_relax.control_variates._base import ControlVariate
from tf_relax.control_variates._combine import Scaled
from tf_relax.control_variates._combine import Sum
from tf_relax.control_variates._function import Function
from tf_relax.control_variates._layer_function import LayerFunction
from tf_relax.control_variates._network import Network
from tf_relax.control_variates._relaxed import NotDifferentiableError
from tf_relax.control_variates._relaxed import RelaxedFunction

__all__ = [
    "ControlVariate",
    "Function",
    "LayerFunction",
    "Network",
    "NotDifferentiableError",
    "RelaxedFunction",
    "Scaled",
    "Sum",
    "bind",
]
