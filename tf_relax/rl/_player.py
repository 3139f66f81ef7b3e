"""Players: they let the policies act, and a learner learn from it."""

import abc
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax.rl._learner import Learner
from tf_relax.rl._trajectories import Trajectories


class Progress(NamedTuple):
    """What an update saw, of R runs and N copies; L times of looking."""

    ended: tf.Tensor  # [R, N, L], 1. where an episode ended.
    returns: tf.Tensor  # [R, N, L], undiscounted, of the episode till then.
    lengths: tf.Tensor  # [R, N, L], its steps till then.
    steps: tf.Tensor  # [R, L], taken by all copies since the look before.
    entropy: tf.Tensor  # [R], nats, mean over the steps.


class Player(abc.ABC):
    """Plays and learns: K updates at a time, of R runs with N copies each."""

    @abc.abstractmethod
    def updates(self, num_updates: int) -> Progress:
        """Returns the progress of K updates, with a leading axis of K."""

    @abc.abstractmethod
    def trajectories(self) -> Trajectories:
        """Plays what an update takes, without learning from it."""

    @abc.abstractmethod
    def episodes(self, num_episodes: int, seed: tf.Tensor) -> Trajectories:
        """Returns whole fresh episodes of the policies as they are.

        Args:
          num_episodes: of each run.
          seed: stateless seed, two integers.
        """

    @property
    def variables(self) -> list[Any]:
        """Returns what a checkpoint must hold beside the learner's."""
        return []

    @property
    @abc.abstractmethod
    def is_restored(self) -> bool:
        """Whether what it plays depends on weights and variables alone.

        Else it begins new episodes when a run is resumed.
        """


def learn_episodes(learner: Learner, paths: Trajectories) -> Progress:
    """Learns from whole episodes: L = 1, at their ends."""
    entropy = learner.learn(paths)
    lengths = tf.reduce_sum(paths.alive, -1, keepdims=True)
    return Progress(
        tf.ones_like(lengths),
        tf.reduce_sum(paths.rewards, -1, keepdims=True),
        lengths,
        tf.reduce_sum(lengths, 1),
        entropy,
    )


def learn_steps(learner: Learner, paths: Trajectories) -> Progress:
    """Learns from steps: L = T, a look at each."""
    entropy = learner.learn(paths)
    return Progress(
        paths.ended,
        paths.episode_return,
        paths.episode_length,
        tf.reduce_sum(paths.alive, 1),
        entropy,
    )
