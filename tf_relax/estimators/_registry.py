"""Estimators by name, for the edge where people type them."""

from collections.abc import Callable
from typing import Any

from tf_relax._names import unknown
from tf_relax.estimators._concrete import Concrete
from tf_relax.estimators._dlax import DLAX
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._lax import LAX
from tf_relax.estimators._leave_one_out import LeaveOneOut
from tf_relax.estimators._muprop import MuProp
from tf_relax.estimators._nvil import NVIL
from tf_relax.estimators._rebar import REBAR
from tf_relax.estimators._reinforce import Reinforce
from tf_relax.estimators._relax import RELAX

_ESTIMATORS: dict[str, Callable[..., Estimator]] = {
    "concrete": Concrete,
    "dlax": DLAX,
    "lax": LAX,
    "leave_one_out": LeaveOneOut,
    "muprop": MuProp,
    "nvil": NVIL,
    "rebar": REBAR,
    "reinforce": Reinforce,
    "relax": RELAX,
}


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
    if name not in _ESTIMATORS:
        raise ValueError(unknown("estimator", name, _ESTIMATORS))
    return _ESTIMATORS[name](**kwargs)
