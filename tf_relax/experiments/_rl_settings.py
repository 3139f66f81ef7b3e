"""Settings of a run of policy gradients, and what they describe."""

import dataclasses
import inspect

import keras

from tf_relax import estimators
from tf_relax import rl
from tf_relax._names import unknown
from tf_relax.experiments._rl_environments import maker
from tf_relax.experiments._settings import LARGEST_BETA
from tf_relax.experiments._settings import setting

BACKENDS = ("auto", "envpool", "gymnasium", "tf")
ESTIMATORS = ("a2c", "lax", "reinforce", "relax")
_ACTIVATIONS = tuple(
    name
    for name, x in sorted(vars(keras.activations).items())
    if inspect.isfunction(x) and name not in ("deserialize", "get", "serialize")
)


@dataclasses.dataclass(frozen=True)
class RLSettings:
    """What a run is made with; the flags of `bin/train_rl.py`."""

    env: str = setting("CartPole-v1", "Gymnasium's id.", section="Environment")
    env_backend: str = setting(
        "auto",
        "tf: TensorFlow dynamics of the classic control tasks, in one program "
        "with the learning; auto: tf where it has the task, else gymnasium.",
        choices=BACKENDS,
    )
    estimator: str = setting(
        "relax",
        "Policy gradient: relax for discrete actions, lax for continuous ones.",
        choices=ESTIMATORS,
        section="Estimator",
    )
    objective: str = setting(
        "parameters",
        "Of the control variate: squared norm of the gradient by the policy's "
        "weights, or by each step's parameters; or regression.",
        choices=rl.OBJECTIVES,
    )
    coupled: bool = setting(
        True, "Whether z and z | b of relax share their noise."
    )
    baseline: bool = setting(
        True, "Whether lax and relax subtract V(s) too; a2c always does."
    )
    num_seeds: int = setting(
        1,
        "Runs side by side, with seeds of their own.",
        1,
        section="Episodes",
    )
    seed: int = setting(0, "Seed of the first run.", 0)
    num_envs: int = setting(
        1, "Environments of a run: episodes an update, or copies that step.", 1
    )
    steps_per_update: int = setting(
        0,
        "Steps of each environment, going on where it was; 0: whole episodes.",
        0,
    )
    max_episodes: int = setting(
        1000,
        "Episodes of each run, up to a whole call of updates; 0: no limit.",
        0,
    )
    max_env_steps: int = setting(
        0,
        "Environment steps of each run, up to a whole call of updates; 0: no "
        "limit.",
        0,
    )
    learning_rate: float = setting(
        0.01, "Of the policy's Adam, a step.", 0.0, section="Learning"
    )
    critic_learning_rate: float = setting(0.03, "Of V's Adam, a step.", 0.0)
    control_variate_learning_rate: float = setting(
        0.03, "Of c's Adam, a step.", 0.0
    )
    beta2: float = setting(
        0.999,
        "Of all Adams: what a step keeps of second moments.",
        0.0,
        LARGEST_BETA,
    )
    critic_steps: int = setting(1, "Steps of V's Adam, an update.", 1)
    control_variate_steps: int = setting(1, "Steps of c's Adam, an update.", 1)
    hidden: str = setting(
        "10,10", "Units of each of the policy's hidden layers.", 1
    )
    value_hidden: str = setting(
        "same", "Units of each of those of V and c; same: the policy's.", 1
    )
    activation: str = setting(
        "relu", "Of the policy's hidden layers.", choices=_ACTIVATIONS
    )
    value_activation: str = setting(
        "",
        "Of the hidden layers of V and c; the policy's if empty.",
        choices=_ACTIVATIONS,
    )
    normalise_observations: bool = setting(
        False, "Whether observations get mean 0 and deviation 1."
    )
    discount: float = setting(
        0.99, "What a reward loses a step: its factor.", 0.0, 1.0
    )
    entropy_weight: float = setting(
        0.01, "Of the bonus: rewards a nat of a step's entropy.", 0.0
    )
    bootstrap: bool = setting(
        False, "Whether V stands for what a cut left out."
    )
    updates_per_call: int = setting(
        50,
        "Updates between two writes of metrics and checkpoint.",
        1,
        section="Measurements",
    )
    window: int = setting(100, "Episodes whose mean return is compared.", 1)
    start_from: str = setting(
        "", "Folder of a run whose policies are taken; empty: new ones."
    )
    stop_when_solved: bool = setting(False, "Once every run has been solved.")
    variance_every: int = setting(
        0,
        "Updates between two measurements of the gradient's variance on fresh "
        "episodes; 0: none. Divides updates_per_call.",
        0,
    )
    variance_episodes: int = setting(
        100, "Fresh episodes of each run for it.", 2
    )
    jit_compile: bool = setting(
        True, "Whether XLA compiles the updates.", section="Computation"
    )

    def check(self) -> None:
        """Raises a ValueError if settings do not go together."""
        for name, known in (
            ("env_backend", BACKENDS),
            ("estimator", ESTIMATORS),
        ):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(unknown(name, value, known))
        if not (self.max_episodes or self.max_env_steps):
            raise ValueError(
                "A run needs an end. Received: max_episodes=0, "
                "max_env_steps=0. Set one of them."
            )
        if self.variance_every and self.updates_per_call % self.variance_every:
            raise ValueError(
                "`variance_every` must divide `updates_per_call`. Received: "
                f"variance_every={self.variance_every}, "
                f"updates_per_call={self.updates_per_call}."
            )
        self.widths("hidden")
        self.widths("value_hidden")
        for name in filter(None, (self.activation, self.value_activation)):
            keras.activations.get(name)

    def backend(self) -> str:
        """Returns which backend `auto` is."""
        if self.env_backend != "auto":
            return self.env_backend
        return "tf" if self.env in rl.TASKS else "gymnasium"

    def widths(self, name: str) -> list[int]:
        """Returns widths of hidden layers; those of `hidden`, if the same.

        Args:
          name: of the setting.

        Raises:
          ValueError: if they are no positive integers.
        """
        words: str = getattr(self, name)
        words = self.hidden if words == "same" else words
        try:
            widths = [int(width) for width in words.split(",") if width]
        except ValueError:
            widths = [0]
        if min(widths, default=1) < 1:
            raise ValueError(
                f"`{name}` must be widths >= 1, separated by commas, or "
                f"empty. Received: {name}={words}."
            )
        return widths


def make_player(settings: RLSettings) -> tuple[rl.Learner, rl.Player]:
    """Returns the learner and what plays its episodes.

    Raises:
      ValueError: if a name is unknown, or settings do not go together.
      ImportError: if what an environment needs is missing.
    """
    settings.check()
    steps = settings.steps_per_update or None
    jit = settings.jit_compile
    if settings.backend() == "tf":
        task = rl.make_environment(settings.env)
        learner = make_learner(settings, task)
        return learner, rl.TensorFlowPlayer(
            learner, task, settings.num_envs, steps, jit_compile=jit
        )
    make = maker(settings.backend(), settings.env, settings.seed)
    learner = make_learner(settings, make(1))
    return learner, rl.VectorPlayer(
        learner, make, settings.num_envs, steps, jit_compile=jit
    )


def make_learner(
    settings: RLSettings, task: rl.Environment | rl.VectorEnvironment
) -> rl.Learner:
    """Returns a learner for the sizes of an environment."""
    _check_actions(settings, task.discrete)
    size_in, size_action = task.observation_size, task.action_size
    values = (
        settings.widths("value_hidden"),
        settings.value_activation or settings.activation,
    )
    seeds = [settings.seed + i for i in range(settings.num_seeds)]
    kind = rl.CategoricalPolicy if task.discrete else rl.GaussianPolicy
    policy = kind(
        size_in,
        size_action,
        settings.widths("hidden"),
        settings.activation,
        seeds=seeds,
    )
    critic = None
    if settings.estimator == "a2c" or (
        settings.estimator in ("lax", "relax") and settings.baseline
    ):
        own_seeds = [100_000 + seed for seed in seeds]
        critic = rl.Perceptrons(
            size_in, values[0], 1, values[1], seeds=own_seeds
        )
    estimator: estimators.Estimator = estimators.Reinforce()
    if settings.estimator in ("lax", "relax"):
        c = rl.ActionValue(
            size_in,
            size_action,
            *values,
            relaxed=task.discrete,
            seeds=[200_000 + seed for seed in seeds],
        )
        estimator = (
            estimators.RELAX(c, coupled=settings.coupled)
            if task.discrete
            else estimators.LAX(c)
        )
    normaliser = None
    if settings.normalise_observations:
        normaliser = rl.Normaliser(settings.num_seeds, size_in)
    return rl.Learner(
        policy,
        estimator,
        critic,
        _optimizers(settings),
        _recipe(settings),
        normaliser=normaliser,
        seed=settings.seed,
    )


def _check_actions(settings: RLSettings, discrete: bool) -> None:
    kinds = {True: "discrete", False: "continuous"}
    right = {True: "relax", False: "lax"}
    if settings.estimator == right[not discrete]:
        raise ValueError(
            f"{settings.estimator} is for {kinds[not discrete]} actions. "
            f"Received: env={settings.env}. Use "
            f"--estimator={right[discrete]}."
        )


def _optimizers(settings: RLSettings) -> rl.Optimizers:
    rates = (
        settings.learning_rate,
        settings.critic_learning_rate,
        settings.control_variate_learning_rate,
    )
    return rl.Optimizers(
        *(keras.optimizers.Adam(rate, beta_2=settings.beta2) for rate in rates)
    )


def _recipe(settings: RLSettings) -> rl.Recipe:
    names = [field.name for field in dataclasses.fields(rl.Recipe)]
    return rl.Recipe(**{name: getattr(settings, name) for name in names})
