"""Gymnasium's classic control tasks as TensorFlow functions of a state.

They compute in the dtype of the state, and are equal to gymnasium's of that
dtype step by step. Constants and equations are those of the tasks' papers as
gymnasium has them.
"""

import math
from typing import Any

import tensorflow as tf

from tf_relax import relaxations
from tf_relax.rl._environment import Environment
from tf_relax.rl._environment import Transition


def _uniform(shape: Any, seed: Any, low: list[float], high: list[float]) -> Any:
    shape = tf.concat([shape, [len(low)]], 0)
    u = relaxations.open_uniform(seed, shape, tf.float32)
    start = tf.constant(low)
    return start + u * (tf.constant(high) - start)


class CartPole(Environment):
    """A pole on a cart that is pushed left or right.

    Args:
      max_steps: 200 in CartPole-v0, 500 in CartPole-v1.
      solved_at: 195 and 475.

    References:
      [1]: Barto, Sutton, Anderson. Neuronlike adaptive elements that can solve
           difficult learning control problems. IEEE SMC 13, 1983.

    Examples:
      >>> task = CartPole()
      >>> state = task.reset(tf.constant([3]), (0, 1))
      >>> left = tf.constant([[1.0, 0.0]] * 3)
      >>> task.step(state, left, (0, 2)).reward.shape
      TensorShape([3])
    """

    observation_size = 4
    action_size = 2
    discrete = True

    _GRAVITY, _TIME_STEP, _FORCE = 9.8, 0.02, 10.0
    _CART, _POLE, _HALF_LENGTH = 1.0, 0.1, 0.5
    _LARGEST_X, _LARGEST_ANGLE = 2.4, 12.0 * math.pi / 180.0

    def __init__(self, max_steps: int = 500, solved_at: float = 475.0) -> None:
        """See the class."""
        self.max_steps = max_steps
        self.solved_at = solved_at

    def reset(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """See `Environment.reset`."""
        return _uniform(shape, seed, [-0.05] * 4, [0.05] * 4)

    def observe(self, state: tf.Tensor) -> tf.Tensor:
        """See `Environment.observe`."""
        return state

    def step(
        self, state: tf.Tensor, action: tf.Tensor, seed: tf.Tensor
    ) -> Transition:
        """See `Environment.step`."""
        del seed
        x, speed, angle, spin = tf.unstack(state, axis=-1)
        force = self._FORCE * (action[..., 1] - action[..., 0])
        total = self._CART + self._POLE
        moment = self._POLE * self._HALF_LENGTH
        sin, cos = tf.sin(angle), tf.cos(angle)
        push = (force + moment * tf.square(spin) * sin) / total
        spin_up = (self._GRAVITY * sin - cos * push) / (
            self._HALF_LENGTH * (4.0 / 3.0 - self._POLE * cos**2 / total)
        )
        speed_up = push - moment * spin_up * cos / total
        then = tf.stack(
            [
                x + self._TIME_STEP * speed,
                speed + self._TIME_STEP * speed_up,
                angle + self._TIME_STEP * spin,
                spin + self._TIME_STEP * spin_up,
            ],
            -1,
        )
        fell = (tf.abs(then[..., 0]) > self._LARGEST_X) | (
            tf.abs(then[..., 2]) > self._LARGEST_ANGLE
        )
        return Transition(then, tf.ones_like(x), fell)


class Acrobot(Environment):
    """Two links, the joint between them driven; -1 a step until up.

    References:
      [1]: Sutton. Generalization in reinforcement learning. NeurIPS 1996.
    """

    observation_size = 6
    action_size = 3
    discrete = True
    max_steps = 500
    solved_at = -100.0

    _TIME_STEP, _GRAVITY = 0.2, 9.8
    _FASTEST = (4.0 * math.pi, 9.0 * math.pi)

    def reset(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """See `Environment.reset`."""
        return _uniform(shape, seed, [-0.1] * 4, [0.1] * 4)

    def observe(self, state: tf.Tensor) -> tf.Tensor:
        """See `Environment.observe`."""
        first, second, *speeds = tf.unstack(state, axis=-1)
        angles = [tf.cos(first), tf.sin(first), tf.cos(second), tf.sin(second)]
        return tf.stack([*angles, *speeds], -1)

    def step(
        self, state: tf.Tensor, action: tf.Tensor, seed: tf.Tensor
    ) -> Transition:
        """See `Environment.step`."""
        del seed
        torque = action[..., 2] - action[..., 0]
        dt = self._TIME_STEP
        k1 = self._slope(state, torque)
        k2 = self._slope(state + 0.5 * dt * k1, torque)
        k3 = self._slope(state + 0.5 * dt * k2, torque)
        k4 = self._slope(state + dt * k3, torque)
        then = state + dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        first, second, *speeds = tf.unstack(then, axis=-1)
        then = tf.stack(
            [
                _wrap(first),
                _wrap(second),
                *(
                    tf.clip_by_value(x, -fastest, fastest)
                    for x, fastest in zip(speeds, self._FASTEST, strict=True)
                ),
            ],
            -1,
        )
        first, second = then[..., 0], then[..., 1]
        up = -tf.cos(first) - tf.cos(first + second) > 1.0
        return Transition(then, tf.where(up, 0.0 * torque, -1.0), up)

    def _slope(self, state: tf.Tensor, torque: tf.Tensor) -> tf.Tensor:
        """Returns the derivative by time: links of mass and length 1."""
        first, second, speed, spin = tf.unstack(state, axis=-1)
        sin, cos = tf.sin(second), tf.cos(second)
        g = self._GRAVITY
        d1 = 0.25 + 1.25 + cos + 2.0
        d2 = 0.25 + 0.5 * cos + 1.0
        phi2 = 0.5 * g * tf.sin(first + second)  # cos(x - pi / 2) = sin(x).
        phi1 = (
            -0.5 * tf.square(spin) * sin
            - spin * speed * sin
            + 1.5 * g * tf.sin(first)
            + phi2
        )
        second_up = (
            torque + d2 / d1 * phi1 - 0.5 * tf.square(speed) * sin - phi2
        ) / (0.25 + 1.0 - tf.square(d2) / d1)
        first_up = -(d2 * second_up + phi1) / d1
        return tf.stack([speed, spin, first_up, second_up], -1)


class Pendulum(Environment):
    """A pendulum to be swung up and held by a bounded torque."""

    observation_size = 3
    action_size = 1
    discrete = False
    max_steps = 200
    solved_at = -200.0

    _TIME_STEP, _GRAVITY, _TORQUE, _FASTEST = 0.05, 10.0, 2.0, 8.0

    def reset(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """See `Environment.reset`."""
        return _uniform(shape, seed, [-math.pi, -1.0], [math.pi, 1.0])

    def observe(self, state: tf.Tensor) -> tf.Tensor:
        """See `Environment.observe`."""
        angle, speed = tf.unstack(state, axis=-1)
        return tf.stack([tf.cos(angle), tf.sin(angle), speed], -1)

    def step(
        self, state: tf.Tensor, action: tf.Tensor, seed: tf.Tensor
    ) -> Transition:
        """See `Environment.step`."""
        del seed
        angle, speed = tf.unstack(state, axis=-1)
        torque = tf.clip_by_value(action[..., 0], -self._TORQUE, self._TORQUE)
        cost = (
            tf.square(_wrap(angle))
            + 0.1 * tf.square(speed)
            + 0.001 * tf.square(torque)
        )
        faster = 1.5 * self._GRAVITY * tf.sin(angle) + 3.0 * torque
        speed = tf.clip_by_value(
            speed + self._TIME_STEP * faster, -self._FASTEST, self._FASTEST
        )
        then = tf.stack([angle + self._TIME_STEP * speed, speed], -1)
        return Transition(then, -cost, tf.zeros_like(angle, tf.bool))


class MountainCarContinuous(Environment):
    """A car in a valley, too weak to drive straight up.

    References:
      [1]: Moore. Efficient memory-based learning for robot control. 1990.
    """

    observation_size = 2
    action_size = 1
    discrete = False
    max_steps = 999
    solved_at = 90.0

    _POWER, _FASTEST, _GOAL = 0.0015, 0.07, 0.45
    _LEFT, _RIGHT = -1.2, 0.6

    def reset(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """See `Environment.reset`."""
        return _uniform(shape, seed, [-0.6, 0.0], [-0.4, 0.0])

    def observe(self, state: tf.Tensor) -> tf.Tensor:
        """See `Environment.observe`."""
        return state

    def step(
        self, state: tf.Tensor, action: tf.Tensor, seed: tf.Tensor
    ) -> Transition:
        """See `Environment.step`."""
        del seed
        x, speed = tf.unstack(state, axis=-1)
        force = tf.clip_by_value(action[..., 0], -1.0, 1.0)
        speed += self._POWER * force - 0.0025 * tf.cos(3.0 * x)
        speed = tf.clip_by_value(speed, -self._FASTEST, self._FASTEST)
        x = tf.clip_by_value(x + speed, self._LEFT, self._RIGHT)
        stopped = (x <= self._LEFT) & (speed < 0.0)
        speed = tf.where(stopped, tf.zeros_like(speed), speed)
        there = (x >= self._GOAL) & (speed >= 0.0)
        cost = 0.1 * tf.square(action[..., 0])
        reward = tf.where(there, 100.0 - cost, -cost)
        return Transition(tf.stack([x, speed], -1), reward, there)


def _wrap(angle: tf.Tensor) -> tf.Tensor:
    """Returns an angle in [-pi, pi)."""
    return tf.math.floormod(angle + math.pi, 2.0 * math.pi) - math.pi
