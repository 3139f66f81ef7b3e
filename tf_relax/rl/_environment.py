"""Environments as TensorFlow functions of a state, for whole programs."""

import abc
from typing import NamedTuple

import tensorflow as tf


class Transition(NamedTuple):
    """What one step leads to."""

    state: tf.Tensor  # [..., S].
    reward: tf.Tensor  # [...].
    terminated: tf.Tensor  # [...], bool. A time limit does not terminate.


class Environment(abc.ABC):
    """Many copies of an environment, any leading shape, no state of its own.

    Attributes:
      observation_size: O.
      action_size: of a one-hot or continuous action.
      discrete: whether actions are one-hot.
      max_steps: after which an episode is truncated.
      solved_at: mean return of 100 episodes that counts as solved.
    """

    observation_size: int
    action_size: int
    discrete: bool
    max_steps: int
    solved_at: float

    @abc.abstractmethod
    def reset(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns states at the start, `[*shape, S]`.

        Args:
          shape: of the copies.
          seed: stateless seed, two integers.
        """

    @abc.abstractmethod
    def observe(self, state: tf.Tensor) -> tf.Tensor:
        """Returns observations `[..., O]` of states `[..., S]`."""

    @abc.abstractmethod
    def step(
        self, state: tf.Tensor, action: tf.Tensor, seed: tf.Tensor
    ) -> Transition:
        """Returns what actions `[..., A]` lead to.

        Args:
          state: `[..., S]`.
          action: one-hot or continuous.
          seed: of what is random in it.
        """
