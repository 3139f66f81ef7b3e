"""Estimators by name, for the edge where people type them."""

from typing import Any

from tf_relax._names import unknown
from tf_relax.estimators._arm import ARM
from tf_relax.estimators._arms import ARMS
from tf_relax.estimators._carms import CARMS
from tf_relax.estimators._concrete import Concrete
from tf_relax.estimators._disarm import DisARM
from tf_relax.estimators._disarm_sb import DisARMSB
from tf_relax.estimators._dlax import DLAX
from tf_relax.estimators._double_cv import DoubleCV
from tf_relax.estimators._enumeration import Enumeration
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._gapped_straight_through import GappedStraightThrough
from tf_relax.estimators._gumbel_rao import GumbelRao
from tf_relax.estimators._gumbel_straight_through import GumbelStraightThrough
from tf_relax.estimators._lax import LAX
from tf_relax.estimators._leave_one_out import LeaveOneOut
from tf_relax.estimators._local_expectation import LocalExpectation
from tf_relax.estimators._muprop import MuProp
from tf_relax.estimators._nvil import NVIL
from tf_relax.estimators._rebar import REBAR
from tf_relax.estimators._reinforce import Reinforce
from tf_relax.estimators._reinmax import ReinMax
from tf_relax.estimators._relax import RELAX
from tf_relax.estimators._rodeo import RODEO
from tf_relax.estimators._straight_through import StraightThrough
from tf_relax.estimators._unordered_set import UnorderedSet
from tf_relax.estimators._vargrad import VarGrad

_ESTIMATORS: dict[str, type[Estimator]] = {
    "arm": ARM,
    "arms": ARMS,
    "carms": CARMS,
    "concrete": Concrete,
    "disarm": DisARM,
    "disarm_sb": DisARMSB,
    "dlax": DLAX,
    "double_cv": DoubleCV,
    "enumeration": Enumeration,
    "gapped_straight_through": GappedStraightThrough,
    "gumbel_rao": GumbelRao,
    "gumbel_straight_through": GumbelStraightThrough,
    "lax": LAX,
    "leave_one_out": LeaveOneOut,
    "local_expectation": LocalExpectation,
    "muprop": MuProp,
    "nvil": NVIL,
    "rebar": REBAR,
    "reinforce": Reinforce,
    "reinmax": ReinMax,
    "relax": RELAX,
    "rodeo": RODEO,
    "straight_through": StraightThrough,
    "unordered_set": UnorderedSet,
    "vargrad": VarGrad,
}


def class_of(name: str) -> type[Estimator]:
    """Returns the class of that name.

    Raises:
      ValueError: if there is none; names the closest one.

    Examples:
      >>> class_of("disarm").min_samples
      2
    """
    if name not in _ESTIMATORS:
        raise ValueError(unknown("estimator", name, _ESTIMATORS))
    return _ESTIMATORS[name]


def names() -> list[str]:
    """Returns the names that `get` knows, sorted."""
    return sorted(_ESTIMATORS)


def get(name: str, **kwargs: Any) -> Estimator:
    """Returns the estimator of that name, made with `kwargs`.

    Raises:
      ValueError: if there is none; names the closest one.

    Examples:
      >>> get("leave_one_out").min_samples
      2
    """
    return class_of(name)(**kwargs)
