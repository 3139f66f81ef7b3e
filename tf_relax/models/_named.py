"""Estimators by name, with the control variates that suit a VAE."""

from collections.abc import Callable
from typing import Any

from tf_relax import control_variates
from tf_relax import estimators
from tf_relax._names import unknown


def named_estimator(
    name: str, temperature: float, seed: int
) -> estimators.Estimator:
    """Returns the estimator of that name, for a VAE.

    Args:
      name: "relax" has `eta [f(sigmoid(z / lambda)) + r(z, x)]`, as the
        paper's code, with a network r of two layers of 200 ReLU units, and
        so has "dlax"; "rebar" has the relaxed f only; "reinforce" a
        moving-average baseline; "..._independent" is Algorithm 2 as printed,
        with independent noises.
      temperature: `lambda` at the start.
      seed: of the network's initial weights.

    Raises:
      ValueError: if the name is unknown or not one for discrete latents.
    """
    if name not in _NAMED:
        raise ValueError(unknown("estimator", name, _NAMED))
    return _NAMED[name](temperature, seed)


def estimator_names() -> list[str]:
    """Returns the names that `named_estimator` knows, sorted."""
    return sorted(_NAMED)


def _free_form(temperature: float, seed: int) -> Any:
    relaxed = control_variates.RelaxedFunction(temperature)
    network = control_variates.Network((200, 200), seed=seed + 2)
    return control_variates.Scaled(relaxed + network)


_NAMED: dict[str, Callable[[float, int], estimators.Estimator]] = {
    "dlax": lambda t, seed: estimators.DLAX(_free_form(t, seed)),
    "leave_one_out": lambda t, seed: estimators.LeaveOneOut(),
    "muprop": lambda t, seed: estimators.MuProp(),
    "rebar": lambda t, seed: estimators.REBAR(t),
    "rebar_independent": lambda t, seed: estimators.REBAR(t, coupled=False),
    "reinforce": lambda t, seed: estimators.Reinforce(
        estimators.MovingAverage()
    ),
    "relax": lambda t, seed: estimators.RELAX(_free_form(t, seed)),
    "relax_independent": lambda t, seed: estimators.RELAX(
        _free_form(t, seed), coupled=False
    ),
}
