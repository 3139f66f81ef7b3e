"""Tasks whose returns depend on the action as much as one likes.

A control variate of the action can take away what the action at hand adds to
a return's variance, and nothing of what comes after it. These two span the
range: a bandit, where the action is all, and a linear-quadratic regulator,
where the discount says how much of the future counts.
"""

import math

import tensorflow as tf

from tf_relax import relaxations
from tf_relax.rl._environment import Environment
from tf_relax.rl._environment import Transition


class ContextualBandit(Environment):
    """One step; the reward falls with an action's distance from the context.

    Contexts are uniform on a ring, actions stand on it like the hours on a
    clock: `r = cos(angle between them) + noise * normal`.

    Args:
      num_actions: A.
      noise: deviation of what is added to the reward.

    Examples:
      >>> task = ContextualBandit(12)
      >>> state = task.reset(tf.constant([3]), (0, 1))
      >>> task.step(state, tf.one_hot([0, 5, 11], 12), (0, 2)).reward.shape
      TensorShape([3])
    """

    observation_size = 2
    discrete = True
    max_steps = 1
    solved_at = 0.9

    def __init__(self, num_actions: int = 12, noise: float = 0.1) -> None:
        """See the class."""
        self.action_size = num_actions
        self._noise = noise

    def reset(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """See `Environment.reset`."""
        turn = relaxations.open_uniform(seed, shape, tf.float32)
        angle = 2.0 * math.pi * turn
        return tf.stack([tf.cos(angle), tf.sin(angle)], -1)

    def observe(self, state: tf.Tensor) -> tf.Tensor:
        """See `Environment.observe`."""
        return state

    def step(
        self, state: tf.Tensor, action: tf.Tensor, seed: tf.Tensor
    ) -> Transition:
        """See `Environment.step`."""
        count = self.action_size
        hours = tf.range(float(count)) * (2.0 * math.pi / count)
        stands = tf.stack([tf.cos(hours), tf.sin(hours)], -1)  # [A, 2].
        reward = tf.reduce_sum(tf.tensordot(action, stands, 1) * state, -1)
        normal = relaxations.open_normal(seed, tf.shape(reward), tf.float32)
        return Transition(
            state, reward + self._noise * normal, tf.ones_like(reward, tf.bool)
        )


class LinearQuadratic(Environment):
    """A state of D parts, each to be held at zero by an action of its own.

        s' = 0.9 s + 0.5 a + 0.1 normal
        r  = -mean(s'^2) - 0.1 mean(a^2)

    Args:
      size: D.
      max_steps: of an episode.

    Examples:
      >>> task = LinearQuadratic(3)
      >>> state = task.reset(tf.constant([2]), (0, 1))
      >>> task.step(state, tf.zeros([2, 3]), (0, 2)).state.shape
      TensorShape([2, 3])
    """

    discrete = False
    # Random actions of deviation 1 give -25; the best gain gives -1.4.
    solved_at = -4.0

    def __init__(self, size: int = 4, max_steps: int = 20) -> None:
        """See the class."""
        self.observation_size = self.action_size = size
        self.max_steps = max_steps

    def reset(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """See `Environment.reset`."""
        shape = tf.concat([shape, [self.observation_size]], 0)
        return relaxations.open_normal(seed, shape, tf.float32)

    def observe(self, state: tf.Tensor) -> tf.Tensor:
        """See `Environment.observe`."""
        return state

    def step(
        self, state: tf.Tensor, action: tf.Tensor, seed: tf.Tensor
    ) -> Transition:
        """See `Environment.step`."""
        normal = relaxations.open_normal(seed, tf.shape(state), tf.float32)
        then = 0.9 * state + 0.5 * action + 0.1 * normal
        cost = tf.reduce_mean(tf.square(then), -1)
        cost += 0.1 * tf.reduce_mean(tf.square(action), -1)
        return Transition(then, -cost, tf.zeros_like(cost, tf.bool))
