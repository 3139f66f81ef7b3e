"""Where episodes come from: TensorFlow dynamics, or gymnasium."""

import abc
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax import relaxations
from tf_relax.rl._environment import Environment
from tf_relax.rl._learner import Learner
from tf_relax.rl._learner import Progress
from tf_relax.rl._rollout import rollout
from tf_relax.rl._rollout import Trajectories


class EpisodePlayer(abc.ABC):
    """Plays and learns: K updates at a time, of N episodes a run each."""

    @abc.abstractmethod
    def updates(self, num_updates: int) -> Progress:
        """Returns the progress of K updates, `[K, R, N]` and `[K, R]`."""


class TensorFlowPlayer(EpisodePlayer):
    """Rollout and update of all runs in one XLA program.

    Args:
      learner: what plays and learns.
      environment: TensorFlow dynamics.
      num_episodes: N, of each run and update.
      jit_compile: whether XLA compiles it.

    Examples:
      >>> import keras
      >>> from tf_relax import rl
      >>> import tf_relax as tfr
      >>> policy = rl.CategoricalPolicy(4, 2, seeds=[0, 1])
      >>> critic = rl.Perceptrons(4, (10,), 1, seeds=[2, 3])
      >>> learner = rl.Learner(policy, tfr.Reinforce(), critic,
      ...     tuple(keras.optimizers.Adam(0.01) for _ in range(3)))
      >>> player = rl.TensorFlowPlayer(
      ...     learner, rl.CartPole(20, 15.0), 1, jit_compile=False)
      >>> player.updates(3).returns.shape
      TensorShape([3, 2, 1])
    """

    def __init__(
        self,
        learner: Learner,
        environment: Environment,
        num_episodes: int,
        *,
        jit_compile: bool = True,
    ) -> None:
        """See the class."""
        self._learner = learner
        self._environment = environment
        self._num_episodes = num_episodes
        self._run = tf.function(
            self._updates, jit_compile=jit_compile, autograph=False
        )

    def updates(self, num_updates: int) -> Progress:
        """See `EpisodePlayer.updates`."""
        return self._run(num_updates)

    def _updates(self, num_updates: int) -> Progress:
        runs, episodes = self._learner.num_runs, self._num_episodes
        shapes = Progress([runs, episodes], [runs, episodes], [runs])
        arrays = [
            tf.TensorArray(tf.float32, num_updates, element_shape=shape)
            for shape in shapes
        ]

        def body(k: tf.Tensor, arrays: Any) -> Any:
            paths = rollout(
                self._environment,
                self._learner.policy,
                runs,
                episodes,
                self._learner.seed_of_update(),
            )
            progress = self._learner.learn(paths)
            pairs = zip(arrays, progress, strict=True)
            return k + 1, [array.write(k, x) for array, x in pairs]

        _, arrays = tf.while_loop(
            lambda k, arrays: k < num_updates,
            body,
            (tf.constant(0), arrays),
            parallel_iterations=1,
        )
        return Progress(*(array.stack() for array in arrays))


class GymnasiumPlayer(EpisodePlayer):
    """Episodes of a vector environment of gymnasium's interface.

    Every update begins with a reset by its own seed, so that an update
    depends on the weights and the seed alone. An environment whose episode is
    over is stepped on, unheeded, until the last one is.

    Args:
      learner: what plays and learns.
      environments: a `gymnasium.vector.VectorEnv` of R * N environments that
        reset themselves (`AutoresetMode.NEXT_STEP`).
      num_episodes: N, of each run and update.
      max_steps: of an episode; the arrays' length.
      jit_compile: whether XLA compiles the update.
    """

    def __init__(
        self,
        learner: Learner,
        environments: Any,
        num_episodes: int,
        max_steps: int,
        *,
        jit_compile: bool = True,
    ) -> None:
        """See the class."""
        self._learner = learner
        self._environments = environments
        self._shape = (learner.num_runs, num_episodes)
        self._max_steps = max_steps
        space = environments.single_action_space
        self._discrete = hasattr(space, "n")
        # A normal action may be out of bounds; its noise stays what it was.
        self._bounds = None if self._discrete else (space.low, space.high)
        self._act = tf.function(self._actions, autograph=False)
        self._learn = tf.function(
            lambda *paths: learner.learn(Trajectories(*paths)),
            jit_compile=jit_compile,
            autograph=False,
        )

    def updates(self, num_updates: int) -> Progress:
        """See `EpisodePlayer.updates`."""
        found = [self._learn(*self.play()) for _ in range(num_updates)]
        return Progress(*(tf.stack(x) for x in zip(*found, strict=True)))

    def play(self) -> Trajectories:
        """Returns whole episodes, one of each environment."""
        shape, steps = self._shape, self._max_steps
        seed = self._learner.seed_of_update()
        observations, _ = self._environments.reset(seed=_integer(seed))
        noise = relaxations.open_uniform(
            seed,
            tf.constant([steps, *shape, self._learner.policy.noise_size]),
            tf.float32,
        )
        kept = Trajectories(
            np.zeros([*shape, steps, *observations.shape[1:]], np.float32),
            tf.transpose(noise, [1, 2, 0, 3]).numpy(),
            np.zeros([*shape, steps], np.float32),
            np.zeros([*shape, steps], np.float32),
            np.zeros([*shape, *observations.shape[1:]], np.float32),
            np.zeros(shape, np.float32),
        )
        alive = np.ones(shape, bool)
        for t in range(steps):
            now = observations.reshape([*shape, -1]).astype(np.float32)
            kept.observations[:, :, t] = np.where(alive[..., None], now, 0.0)
            kept.alive[:, :, t] = alive
            actions = self._act(tf.constant(now), noise[t]).numpy()
            if self._bounds is not None:
                actions = np.clip(actions, *self._bounds)
            observations, rewards, terminated, truncated, _ = (
                self._environments.step(actions)
            )
            rewards, terminated, truncated = (
                np.reshape(x, shape) for x in (rewards, terminated, truncated)
            )
            kept.rewards[:, :, t] = np.where(alive, rewards, 0.0)
            ended = alive & (terminated | truncated)
            after = observations.reshape([*shape, -1])
            kept.last_observation[ended] = after[ended]
            kept.terminated[ended] = terminated[ended]
            alive &= ~ended
            if not alive.any():
                break
        kept.noise[kept.alive == 0.0] = 0.5  # As `rollout` leaves it.
        return kept

    def _actions(self, observations: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        policy = self._learner.policy
        draw = policy.draw(policy.distribution(observations), noise)
        flat = tf.reshape(draw.sample, [-1, draw.sample.shape[-1]])
        return tf.argmax(flat, -1) if self._discrete else flat


def _integer(seed: tf.Tensor) -> int:
    """Returns one integer of a stateless seed, for gymnasium."""
    run, step = (int(x) for x in seed.numpy())
    return int(np.random.SeedSequence([run, step]).generate_state(1)[0])
