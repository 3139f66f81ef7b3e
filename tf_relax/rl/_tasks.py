"""Environments with TensorFlow dynamics, by name."""

from collections.abc import Callable

from tf_relax._names import unknown
from tf_relax.rl import _classic_control
from tf_relax.rl import _synthetic
from tf_relax.rl._environment import Environment

TASKS: dict[str, Callable[[], Environment]] = {
    "Acrobot-v1": _classic_control.Acrobot,
    "CartPole-v0": lambda: _classic_control.CartPole(200, 195.0),
    "CartPole-v1": _classic_control.CartPole,
    "ContextualBandit-v0": _synthetic.ContextualBandit,
    "LinearQuadratic-v0": _synthetic.LinearQuadratic,
    "MountainCarContinuous-v0": _classic_control.MountainCarContinuous,
    "Pendulum-v1": _classic_control.Pendulum,
}


def make_environment(name: str) -> Environment:
    """Returns a task with TensorFlow dynamics.

    Args:
      name: gymnasium's id, or that of one of our own: `ContextualBandit-v0`
        and `LinearQuadratic-v0`.

    Raises:
      ValueError: if there are none of that name; names the closest.

    Examples:
      >>> make_environment("CartPole-v0").max_steps
      200
    """
    if name not in TASKS:
        raise ValueError(
            f"{unknown('TensorFlow environment', name, TASKS)} Others are "
            "gymnasium's (--env_backend=gymnasium)."
        )
    return TASKS[name]()
