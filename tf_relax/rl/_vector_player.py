"""Steps of vector environments outside TensorFlow: gymnasium's, envpool's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax import relaxations
from tf_relax.rl._learner import Learner
from tf_relax.rl._player import learn_episodes
from tf_relax.rl._player import learn_steps
from tf_relax.rl._player import Player
from tf_relax.rl._player import Progress
from tf_relax.rl._trajectories import Trajectories
from tf_relax.rl._vector_environment import VectorEnvironment


class VectorPlayer(Player):
    """Plays a vector environment, a call of Python each step.

    Updates of whole episodes begin with a reset by their own seed, so that
    they depend on weights and seed alone; an environment whose episode is over
    is stepped on, unheeded, until the last one is. Updates of a number of
    steps go on where the last one was; a resumed run begins new episodes.

    Args:
      learner: what plays and learns.
      make: gives a `VectorEnvironment` of so many copies.
      num_copies: N, of each run.
      num_steps: T of an update, or None for whole episodes.
      jit_compile: whether XLA compiles actions and updates.
    """

    def __init__(
        self,
        learner: Learner,
        make: Callable[[int], VectorEnvironment],
        num_copies: int,
        num_steps: int | None = None,
        *,
        jit_compile: bool = True,
    ) -> None:
        """See the class."""
        self._learner = learner
        self._make = make
        self._num_copies = num_copies
        self._environment = make(learner.num_runs * num_copies)
        self._fresh: dict[int, VectorEnvironment] = {}  # By their number.
        self._num_steps = num_steps
        self._now: _Running | None = None
        options = {"jit_compile": jit_compile, "autograph": False}
        self._act = tf.function(self._actions, **options)
        learn = learn_episodes if num_steps is None else learn_steps
        self._learn = tf.function(
            lambda *paths: learn(
                learner, Trajectories(*map(tf.convert_to_tensor, paths))
            ),
            **options,
        )

    @property
    def is_restored(self) -> bool:
        """See `Player.is_restored`."""
        return self._num_steps is None and self._environment.obeys_seeds

    def updates(self, num_updates: int) -> Progress:
        """See `Player.updates`."""
        found = [self._learn(*self.trajectories()) for _ in range(num_updates)]
        return Progress(
            *(
                np.stack([np.asarray(x) for x in xs])
                for xs in zip(*found, strict=True)
            )
        )

    def episodes(self, num_episodes: int, seed: tf.Tensor) -> Trajectories:
        """See `Player.episodes`."""
        copies = self._learner.num_runs * num_episodes
        if copies not in self._fresh:
            self._fresh[copies] = self._make(copies)
        return self._whole_episodes(self._fresh[copies], seed)

    def trajectories(self) -> Trajectories:
        """See `Player.trajectories`."""
        seed = self._learner.seed_of_update()
        if self._num_steps is None:
            return self._whole_episodes(self._environment, seed)
        if self._now is None:
            self._now = _Running(self._environment, seed)
        return self._play(self._environment, self._now, self._num_steps, seed)

    def _whole_episodes(
        self, environment: VectorEnvironment, seed: tf.Tensor
    ) -> Trajectories:
        now = _Running(environment, seed, stays=True)
        return self._play(environment, now, environment.max_steps, seed)

    def _play(
        self,
        environment: VectorEnvironment,
        now: "_Running",
        num_steps: int,
        seed: tf.Tensor,
    ) -> Trajectories:
        runs = self._learner.num_runs
        copies = environment.num_copies // runs
        size = self._learner.policy.noise_size
        shape = tf.constant([num_steps, runs, copies, size])
        noise = np.array(relaxations.open_uniform(seed, shape, tf.float32))
        sizes = [environment.observation_size], [size], *([[]] * 6)
        kept = [
            np.zeros([num_steps, environment.num_copies, *s], np.float32)
            for s in sizes
        ]
        kept[1] = noise.reshape([num_steps, -1, size])
        act = self._act.get_concrete_function(  # Without a look at its types.
            tf.TensorSpec([runs, copies, environment.observation_size]),
            tf.TensorSpec(noise.shape[1:]),
        )
        for t in range(num_steps):
            kept[0][t] = now.observations
            actions = act(
                tf.constant(now.observations.reshape([runs, copies, -1])),
                tf.constant(noise[t]),
            )
            now.step(environment, actions.numpy(), [x[t] for x in kept[2:]])
            if now.stays and now.over.all():
                break
        kept[0][t + 1 :] = now.observations
        kept[1][kept[3] == 0.0] = 0.5  # Where no step was taken.

        def by_copy(x: np.ndarray) -> np.ndarray:
            return x.swapaxes(0, 1).reshape(
                [runs, copies, *x.shape[:1], *x.shape[2:]]
            )

        last = now.observations.reshape([runs, copies, -1])
        return Trajectories._make([*map(by_copy, kept), last])

    def _actions(self, observations: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns `[R * N]` indices or `[R * N, A]` actions."""
        actions = self._learner.act(observations, noise)
        flat = tf.reshape(actions, [-1, actions.shape[-1]])
        return tf.argmax(flat, -1) if self._environment.discrete else flat


class _Running:
    """Where the copies are.

    Args:
      environment: is reset.
      seed: stateless seed, two integers.
      stays: whether a copy's first episode is all that counts.
    """

    def __init__(
        self, environment: VectorEnvironment, seed: Any, *, stays: bool = False
    ) -> None:
        self.observations = environment.reset(_integer(seed))
        none = np.zeros(environment.num_copies, np.float32)
        self.over, self.gained, self.age = none, none, none
        self.stays = stays

    def step(
        self,
        environment: VectorEnvironment,
        actions: np.ndarray,
        kept: list[np.ndarray],
    ) -> None:
        """Takes a step, and writes what `Trajectories` keep of it."""
        then, rewards, terminated, truncated = environment.step(actions)
        alive = 1.0 - self.over
        rewards = alive * rewards
        ended = alive * (terminated | truncated)
        self.gained = self.gained + rewards
        self.age = self.age + alive
        found = rewards, alive, alive * terminated, ended, self.gained, self.age
        for row, x in zip(kept, found, strict=True):
            row[:] = x
        if self.stays:
            is_over = self.over[:, np.newaxis] > 0
            self.observations = np.where(is_over, self.observations, then)
            self.over = np.maximum(self.over, ended)
        else:
            self.observations, self.over = then, ended
            self.gained, self.age = self.gained * alive, self.age * alive


def _integer(seed: tf.Tensor) -> int:
    """Returns one integer of a stateless seed, for gymnasium."""
    words = [int(x) for x in np.asarray(seed).astype(np.uint32)]
    return int(np.random.SeedSequence(words).generate_state(1)[0])
