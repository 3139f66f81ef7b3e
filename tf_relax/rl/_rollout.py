"""Episodes of many copies of an environment, in one program."""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax import relaxations
from tf_relax.rl._environment import Environment
from tf_relax.rl._policies import Policy


class Trajectories(NamedTuple):
    """Episodes from their start: R runs, N episodes, T steps.

    What comes after the end of an episode is zero, noise 1/2.
    """

    observations: tf.Tensor  # [R, N, T, O].
    noise: tf.Tensor  # [R, N, T, policy.noise_size], uniforms.
    rewards: tf.Tensor  # [R, N, T].
    alive: tf.Tensor  # [R, N, T], 1. where a step was taken.
    last_observation: tf.Tensor  # [R, N, O], after the last step.
    terminated: tf.Tensor  # [R, N], 0. where the time limit cut it.


class _State(NamedTuple):
    state: tf.Tensor  # [R, N, S].
    alive: tf.Tensor  # [R, N].
    terminated: tf.Tensor  # [R, N].


def rollout(
    environment: Environment,
    policy: Policy,
    num_runs: int,
    num_episodes: int,
    seed: Any,
) -> Trajectories:
    """Returns whole episodes, cut at the environment's time limit.

    The loop ends with the last episode. The policy draws as the estimators
    will: from uniforms that are kept.

    Args:
      environment: with TensorFlow dynamics.
      policy: of R runs.
      num_runs: R.
      num_episodes: N, of each run.
      seed: stateless seed, two integers.
    """
    start, steps = relaxations.split_seed(seed, 2)
    shape = tf.constant([num_runs, num_episodes])
    steps_at_most = environment.max_steps
    sizes = [environment.observation_size, policy.noise_size]

    def array(*size: int) -> tf.TensorArray:
        return tf.TensorArray(
            tf.float32,
            steps_at_most,
            element_shape=[num_runs, num_episodes, *size],
        )

    def body(t: tf.Tensor, now: _State, kept: Any) -> Any:
        of_noise, of_step = tf.unstack(
            tf.random.experimental.stateless_split(
                relaxations.fold_seed(steps, t), 2
            )
        )
        observation = environment.observe(now.state)
        noise = relaxations.open_uniform(
            of_noise, tf.concat([shape, [policy.noise_size]], 0), tf.float32
        )
        action = policy.draw(policy.distribution(observation), noise).sample
        step = environment.step(now.state, action, of_step)
        alive = now.alive[..., tf.newaxis]
        found = (
            alive * observation,
            noise,
            now.alive * step.reward,
            now.alive,
        )
        ended = tf.cast(step.terminated, tf.float32)
        then = _State(
            tf.where(alive > 0, step.state, now.state),
            now.alive * (1.0 - ended),
            tf.maximum(now.terminated, now.alive * ended),
        )
        kept = [array.write(t, x) for array, x in zip(kept, found, strict=True)]
        return t + 1, then, kept

    first = _State(
        environment.reset(shape, start), tf.ones(shape), tf.zeros(shape)
    )
    _, last, kept = tf.while_loop(
        lambda t, now, kept: (
            (t < steps_at_most) & (tf.reduce_max(now.alive) > 0)
        ),
        body,
        (tf.constant(0), first, [*map(array, sizes), array(), array()]),
        parallel_iterations=1,
    )
    return _trajectories(kept, environment.observe(last.state), last.terminated)


def _trajectories(
    kept: list[tf.TensorArray],
    last_observation: tf.Tensor,
    terminated: tf.Tensor,
) -> Trajectories:
    """Returns what was kept at each step, with time after the episodes."""
    observations, noise, rewards, alive = (
        tf.transpose(x, [1, 2, 0, *range(3, x.shape.rank)])
        for x in (array.stack() for array in kept)
    )
    # Zeros have an infinite logarithm.
    noise = tf.where(alive[..., tf.newaxis] > 0, noise, 0.5)
    return Trajectories(
        observations, noise, rewards, alive, last_observation, terminated
    )


def discounted_returns(
    rewards: tf.Tensor, discount: float, last: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns `sum_(k >= t) discount^(k - t) r_k`.

    Args:
      rewards: `[..., T]`, zero after an episode's end.
      discount: in [0, 1].
      last: of what was cut off, `[..., T]`: zero but at the last step taken,
        where it is the value of the state after it.

    Returns:
      `[..., T]`.
    """
    if last is not None:
        rewards = rewards + discount * last
    steps = tf.range(tf.shape(rewards)[-1])
    ahead = steps[:, tf.newaxis] - steps  # k - t.
    powers = tf.pow(discount, tf.cast(tf.maximum(ahead, 0), rewards.dtype))
    powers = tf.where(ahead >= 0, powers, tf.zeros_like(powers))
    return tf.tensordot(rewards, powers, 1)
