"""Environments by name: gymnasium's, envpool's, and those in TensorFlow."""

from collections.abc import Callable
import functools
from typing import Any
import warnings

from tf_relax import rl
from tf_relax._names import closest

# Ids of the paper's time, and what they are called now.
_RENAMED = {
    "InvertedPendulum-v1": "InvertedPendulum-v5",
    "InvertedPendulum-v2": "InvertedPendulum-v5",
    "InvertedPendulum-v4": "InvertedPendulum-v5",
    "LunarLander-v2": "LunarLander-v3",
    "LunarLanderContinuous-v2": "LunarLanderContinuous-v3",
}
# Of those that are not TensorFlow's too.
_SOLVED_AT = {
    "InvertedPendulum-v5": 950.0,
    "LunarLander-v3": 200.0,
    "LunarLanderContinuous-v3": 200.0,
}
_WITHOUT_LIMIT = 10_000


def solved_at(name: str) -> float:
    """Returns the mean return that counts as solved, infinity if unknown."""
    if name in rl.TASKS:
        return rl.make_environment(name).solved_at
    if name in _SOLVED_AT:
        return _SOLVED_AT[name]
    try:
        import gymnasium
    except ImportError:
        return float("inf")
    known = gymnasium.registry.get(name)
    threshold = known.reward_threshold if known is not None else None
    return float("inf") if threshold is None else float(threshold)


def maker(
    backend: str, name: str, seed: int
) -> Callable[[int], rl.VectorEnvironment]:
    """Returns what makes copies of an environment outside TensorFlow."""
    if backend == "envpool":
        return functools.partial(make_envpool, name, seed=seed)
    return functools.partial(make_gymnasium, name)


def make_gymnasium(
    name: str, copies: int, *, pictures: bool = False
) -> rl.VectorEnvironment:
    """Returns a vector environment of gymnasium.

    Args:
      name: gymnasium's id.
      copies: of the environment.
      pictures: whether it shall be able to `render`.

    Raises:
      ValueError: if there is no such environment; names the new id of an old
        one.
      ImportError: if a package is missing; names the line that brings it.
    """
    gymnasium = _import("gymnasium", "gymnasium")
    _refuse_renamed(name)
    mode = gymnasium.vector.AutoresetMode.NEXT_STEP
    try:
        spec = gymnasium.spec(name)
        native = spec.vector_entry_point is not None and not pictures
        with warnings.catch_warnings():
            # CartPole-v0 is old, and the paper's.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.filterwarnings("ignore", message=".*out of date.*")
            made = gymnasium.make_vec(
                name,
                copies,
                vectorization_mode="vector_entry_point" if native else "sync",
                vector_kwargs={} if native else {"autoreset_mode": mode},
                **({"render_mode": "rgb_array"} if pictures else {}),
            )
            if pictures:  # What it needs for them is missed only then.
                made.reset(seed=0)
                made.render()
    except gymnasium.error.DependencyNotInstalled as error:
        raise ImportError(_missing(name, error)) from error
    except gymnasium.error.Error as error:
        raise ValueError(f"env={name}: {error}") from error
    if made.metadata.get("autoreset_mode") != mode:
        raise ValueError(
            f"env={name} must reset itself in the step after an episode "
            f"({mode}). Received: {made.metadata.get('autoreset_mode')}."
        )
    return rl.VectorEnvironment(
        made,
        made.single_observation_space,
        made.single_action_space,
        copies,
        made.spec.max_episode_steps or _WITHOUT_LIMIT,
    )


def make_envpool(name: str, copies: int, seed: int) -> rl.VectorEnvironment:
    """Returns an environment of envpool, in C++; the seed is its only one.

    Raises:
      ValueError: if there is no such environment.
      ImportError: if envpool is missing; names the line that brings it.
    """
    envpool = _import("envpool", "envpool")
    _refuse_renamed(name)
    known = envpool.list_all_envs()
    if name not in known:
        raise ValueError(
            f"envpool has no environment {name!r}. Received: env={name}."
            f"{closest(name, known)} Or use --env_backend=gymnasium."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of gymnasium's, at each space.
        made = envpool.make_gymnasium(
            name, num_envs=copies, seed=seed % 2**31, num_threads=1
        )
        return rl.VectorEnvironment(
            _WithoutSeeds(made),
            made.observation_space,
            made.action_space,
            copies,
            made.spec.config.max_episode_steps,
            obeys_seeds=False,
        )


class _WithoutSeeds:
    """An envpool's environment: it was given its seed when it was made."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def reset(self, seed: int) -> Any:
        del seed
        return self._made.reset()

    def step(self, actions: Any) -> Any:
        return self._made.step(actions)


def _import(package: str, backend: str) -> Any:
    try:
        return __import__(package)
    except ImportError as error:
        line = {"gymnasium": "'tf_relax[rl]'", "envpool": "envpool"}[package]
        raise ImportError(
            f"env_backend={backend} needs {package}. Install it with `pip "
            f"install {line}`."
        ) from error


def _missing(name: str, error: Exception) -> str:
    return (
        f"{name} needs a package that is missing ({error}). Install it with "
        "`pip install 'tf_relax[rl]'`."
    )


def _refuse_renamed(name: str) -> None:
    if name in _RENAMED:
        raise ValueError(
            f"{name} is of old versions of the environments. Received: "
            f"env={name}. Use --env={_RENAMED[name]}."
        )
