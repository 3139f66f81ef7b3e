"""Settings of a run of policy gradients, and what they describe."""

import dataclasses
from typing import Any
import warnings

import keras

from tf_relax import estimators
from tf_relax import rl
from tf_relax._names import unknown
from tf_relax.experiments._settings import setting

_BACKENDS = ("tf", "gymnasium")
_ESTIMATORS = ("a2c", "lax", "reinforce", "relax")
# Ids of the paper's time, and what they are called now.
_RENAMED = {
    "InvertedPendulum-v1": "InvertedPendulum-v5",
    "InvertedPendulum-v2": "InvertedPendulum-v5",
    "InvertedPendulum-v4": "InvertedPendulum-v5",
    "LunarLander-v2": "LunarLander-v3",
    "LunarLanderContinuous-v2": "LunarLanderContinuous-v3",
}
_SOLVED_AT = {
    "CartPole-v0": 195.0,
    "CartPole-v1": 475.0,
    "InvertedPendulum-v5": 950.0,
    "LunarLander-v3": 200.0,
    "LunarLanderContinuous-v3": 200.0,
}


@dataclasses.dataclass(frozen=True)
class RLSettings:
    """What a run is made with; the flags of `bin/train_rl.py`."""

    env: str = setting("CartPole-v1", "Gymnasium's id.")
    env_backend: str = setting(
        "tf",
        "tf, TensorFlow dynamics of the classic control tasks in one program "
        "with the learning; or gymnasium.",
    )
    estimator: str = setting("relax", f"One of {', '.join(_ESTIMATORS)}.")
    objective: str = setting(
        "parameters",
        "Of the control variate: weights (squared norm of the gradient by the "
        "policy's weights), parameters (by each step's logits) or regression.",
    )
    coupled: bool = setting(
        True, "Whether z and z | b of relax share their noise."
    )
    baseline: bool = setting(
        True, "Whether lax and relax subtract V(s) too; a2c always does."
    )
    num_seeds: int = setting(
        1, "Runs side by side, with seeds of their own.", 1
    )
    seed: int = setting(0, "Of the first run.", 0)
    episodes_per_update: int = setting(1, "Whole episodes, of each run.", 1)
    max_episodes: int = setting(1000, "Of each run.", 1)
    learning_rate: float = setting(0.01, "Of the policy's Adam.", 0.0)
    critic_learning_rate: float = setting(0.03, "Of V's Adam.", 0.0)
    control_variate_learning_rate: float = setting(0.03, "Of c's Adam.", 0.0)
    beta2: float = setting(0.999, "Of all Adams.", 0.0, 1.0)
    hidden: str = setting("10,10", "Widths of the layers of all networks.")
    activation: str = setting("relu", "Of the hidden layers.")
    discount: float = setting(0.99, "Of the returns.", 0.0, 1.0)
    entropy_weight: float = setting(0.01, "Of the bonus.", 0.0)
    bootstrap: bool = setting(
        False, "Whether V stands for what the time limit cut off."
    )
    updates_per_call: int = setting(
        50, "Updates between two writes of metrics and checkpoint.", 1
    )
    window: int = setting(100, "Episodes whose mean return is compared.", 1)
    stop_when_solved: bool = setting(False, "Once every run has been solved.")
    jit_compile: bool = setting(True, "Whether XLA compiles the updates.")


def solved_at(settings: RLSettings) -> float:
    """Returns the mean return that counts as solved, infinity if unknown."""
    if settings.env_backend == "tf":
        return rl.make_environment(settings.env).solved_at
    return _SOLVED_AT.get(settings.env, float("inf"))


def make_player(
    settings: RLSettings,
) -> tuple[rl.Learner, rl.EpisodePlayer]:
    """Returns the learner and what plays its episodes.

    Raises:
      ValueError: if a name is unknown, or estimator and actions do not go
        together.
      ImportError: if gymnasium or what an environment needs is missing.
    """
    for name, value, known in (
        ("env_backend", settings.env_backend, _BACKENDS),
        ("estimator", settings.estimator, _ESTIMATORS),
    ):
        if value not in known:
            raise ValueError(unknown(name, value, known))
    if settings.env_backend == "tf":
        task = rl.make_environment(settings.env)
        sizes = (task.observation_size, task.action_size, task.discrete)
        learner = _make_learner(settings, *sizes)
        player: rl.EpisodePlayer = rl.TensorFlowPlayer(
            learner,
            task,
            settings.episodes_per_update,
            jit_compile=settings.jit_compile,
        )
        return learner, player
    copies = settings.num_seeds * settings.episodes_per_update
    environments = make_gymnasium(settings.env, copies)
    learner = _make_learner(settings, *_sizes(environments))
    return learner, rl.GymnasiumPlayer(
        learner,
        environments,
        settings.episodes_per_update,
        environments.spec.max_episode_steps or 10_000,
        jit_compile=settings.jit_compile,
    )


def make_gymnasium(name: str, copies: int) -> Any:
    """Returns a vector environment that resets itself.

    Raises:
      ValueError: if there is no such environment; names the new id of an old
        one.
      ImportError: if a package is missing; names the line that brings it.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise ImportError(
            "env_backend=gymnasium needs gymnasium. Install it with `pip "
            "install 'tf_relax[rl]'`."
        ) from error
    if name in _RENAMED:
        raise ValueError(
            f"{name} is of old versions of the environments. Received: "
            f"env={name}. Use --env={_RENAMED[name]}."
        )
    mode = gymnasium.vector.AutoresetMode.NEXT_STEP
    try:
        native = gymnasium.spec(name).vector_entry_point is not None
        with warnings.catch_warnings():
            # CartPole-v0 is old, and the paper's.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.filterwarnings("ignore", message=".*out of date.*")
            return gymnasium.make_vec(
                name,
                copies,
                vector_kwargs={} if native else {"autoreset_mode": mode},
            )
    except gymnasium.error.DependencyNotInstalled as error:
        raise ImportError(
            f"{name} needs a package that is missing ({error}). Install it "
            "with `pip install 'tf_relax[rl]'`."
        ) from error
    except gymnasium.error.Error as error:
        raise ValueError(f"env={name}: {error}") from error


def _sizes(environments: Any) -> tuple[int, int, bool]:
    """Returns sizes of observation and action, and whether it is discrete."""
    seen = environments.single_observation_space
    done = environments.single_action_space
    kinds = type(seen).__name__, type(done).__name__
    if kinds[0] != "Box" or kinds[1] not in ("Discrete", "Box"):
        raise ValueError(
            "Observations must be a Box, actions Discrete or a Box. Received: "
            f"observations {kinds[0]}, actions {kinds[1]}."
        )
    size = int(seen.shape[0]) if len(seen.shape) == 1 else -1
    if size < 0 or (kinds[1] == "Box" and len(done.shape) != 1):
        raise ValueError(
            "Observations and actions must have one axis. Received: shapes "
            f"{seen.shape} and {done.shape}."
        )
    if kinds[1] == "Discrete":
        return size, int(done.n), True
    return size, int(done.shape[0]), False


def _make_learner(
    settings: RLSettings, size_in: int, size_action: int, discrete: bool
) -> rl.Learner:
    wrong = {True: "lax", False: "relax"}[discrete]
    if settings.estimator == wrong:
        raise ValueError(
            f"{settings.estimator} is for {'continuous' if discrete else ''}"
            f"{'' if discrete else 'discrete'} actions. Received: "
            f"env={settings.env}. Use "
            f"--estimator={'relax' if discrete else 'lax'}."
        )
    hidden = [int(width) for width in settings.hidden.split(",") if width]
    seeds = [settings.seed + i for i in range(settings.num_seeds)]
    kind: Any = rl.CategoricalPolicy if discrete else rl.GaussianPolicy
    network = (hidden, settings.activation)
    policy = kind(size_in, size_action, *network, seeds=seeds)
    own_seeds = [100_000 + seed for seed in seeds]
    has_critic = settings.estimator == "a2c" or (
        settings.estimator in ("lax", "relax") and settings.baseline
    )
    critic = None
    if has_critic:
        critic = rl.Perceptrons(size_in, hidden, 1, network[1], seeds=own_seeds)
    estimator: estimators.Estimator = estimators.Reinforce()
    if settings.estimator in ("lax", "relax"):
        c = rl.ActionValue(
            size_in,
            size_action,
            *network,
            relaxed=discrete,
            seeds=[200_000 + seed for seed in seeds],
        )
        estimator = (
            estimators.RELAX(c, coupled=settings.coupled)
            if discrete
            else estimators.LAX(c)
        )
    rates = (
        settings.learning_rate,
        settings.critic_learning_rate,
        settings.control_variate_learning_rate,
    )
    return rl.Learner(
        policy,
        estimator,
        critic,
        tuple(
            keras.optimizers.Adam(rate, beta_2=settings.beta2) for rate in rates
        ),
        discount=settings.discount,
        entropy_weight=settings.entropy_weight,
        objective=settings.objective,
        bootstrap=settings.bootstrap,
        seed=settings.seed,
    )
