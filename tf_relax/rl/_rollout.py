"""Steps of many copies of an environment, in one program."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax import relaxations
from tf_relax.rl._environment import Environment
from tf_relax.rl._trajectories import Trajectories

# Actions [R, N, A] of observations [R, N, O] and uniforms.
Act = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Running(NamedTuple):
    """Where R * N copies of an environment are."""

    state: tf.Tensor  # [R, N, S].
    over: tf.Tensor  # [R, N], 1. where the episode is over.
    gained: tf.Tensor  # [R, N], return so far.
    age: tf.Tensor  # [R, N], steps so far.


class _Recipe(NamedTuple):
    environment: Environment
    act: Act
    noise_size: int
    # What comes after a step of [R, N, S] that led to new states.
    then: Callable[[Running, Running, Any], Running]


def begin(environment: Environment, shape: Any, seed: Any) -> Running:
    """Returns copies at the start of an episode.

    Args:
      environment: with TensorFlow dynamics.
      shape: R and N.
      seed: stateless seed, two integers.
    """
    shape = tf.convert_to_tensor(shape)
    none = tf.zeros(shape)
    return Running(environment.reset(shape, seed), none, none, none)


def rollout(
    environment: Environment,
    act: Act,
    noise_size: int,
    shape: tuple[int, int],
    seed: Any,
) -> Trajectories:
    """Returns whole episodes, cut at the environment's time limit.

    T is the time limit; the loop ends with the last episode.

    Args:
      environment: with TensorFlow dynamics.
      act: gives actions; draws from uniforms, which are kept, as the
        estimators will.
      noise_size: how many uniforms an action takes.
      shape: R and N.
      seed: stateless seed, two integers.
    """
    start, of_steps = relaxations.split_seed(seed, 2)

    def stand_still(now: Running, after: Running, seed: Any) -> Running:
        del seed
        return _where(now.over > 0, now, after)

    recipe = _Recipe(environment, act, noise_size, stand_still)
    first = begin(environment, shape, start)
    paths, _ = _play(
        recipe,
        first,
        environment.max_steps,
        of_steps,
        lambda now: tf.reduce_min(now.over) < 1.0,
    )
    return paths


def rollout_steps(
    environment: Environment,
    act: Act,
    noise_size: int,
    first: Running,
    num_steps: int,
    seed: Any,
) -> tuple[Trajectories, Running]:
    """Returns T steps from where the copies are, and where they then are.

    The step after the end of an episode begins the next one: nothing is done
    or gained in it.

    Args:
      environment: with TensorFlow dynamics.
      act: gives actions, see `rollout`.
      noise_size: how many uniforms an action takes.
      first: where they are.
      num_steps: T.
      seed: stateless seed, two integers.
    """

    def begin_anew(now: Running, after: Running, seed: Any) -> Running:
        new = begin(environment, tf.shape(now.over), seed)
        return _where(now.over > 0, new, after)

    recipe = _Recipe(environment, act, noise_size, begin_anew)
    return _play(recipe, first, num_steps, seed, lambda now: tf.constant(True))


def _where(chosen: tf.Tensor, one: Running, other: Running) -> Running:
    return Running(
        tf.where(chosen[..., tf.newaxis], one.state, other.state),
        tf.where(chosen, one.over, other.over),
        tf.where(chosen, one.gained, other.gained),
        tf.where(chosen, one.age, other.age),
    )


def _play(
    recipe: _Recipe,
    first: Running,
    num_steps: int,
    seed: Any,
    goes_on: Callable[[Running], tf.Tensor],
) -> tuple[Trajectories, Running]:
    shape = first.over.shape
    sizes: list[list[int]] = [
        [recipe.environment.observation_size],
        [recipe.noise_size],
        *([] for _ in range(6)),
    ]
    arrays = [
        tf.TensorArray(tf.float32, num_steps, element_shape=[*shape, *size])
        for size in sizes
    ]

    def body(t: tf.Tensor, now: Running, kept: Any) -> Any:
        then, found = _step(recipe, now, relaxations.fold_seed(seed, t))
        kept = [array.write(t, x) for array, x in zip(kept, found, strict=True)]
        return t + 1, then, kept

    taken, last, kept = tf.while_loop(
        lambda t, now, kept: (t < num_steps) & goes_on(now),
        body,
        (tf.constant(0), first, arrays),
        parallel_iterations=1,
    )
    by_copy = [
        tf.transpose(x, [1, 2, 0, *range(3, x.shape.rank)])
        for x in (array.stack() for array in kept)
    ]
    last_observation = recipe.environment.observe(last.state)
    paths = Trajectories._make([*by_copy, last_observation])
    # What the loop did not reach: the copies stay where they are. And zeros
    # have an infinite logarithm.
    observations = tf.where(
        (tf.range(num_steps) < taken)[:, tf.newaxis],
        paths.observations,
        paths.last_observation[:, :, tf.newaxis],
    )
    noise = tf.where(paths.alive[..., tf.newaxis] > 0, paths.noise, 0.5)
    return paths._replace(noise=noise, observations=observations), last


def _step(recipe: _Recipe, now: Running, seed: Any) -> Any:
    """Returns where the copies go, and what is kept of the step."""
    of_noise, of_step, of_reset = relaxations.split_seed(seed, 3)
    shape = tf.shape(now.over)
    observation = recipe.environment.observe(now.state)
    noise = relaxations.open_uniform(
        of_noise, tf.concat([shape, [recipe.noise_size]], 0), tf.float32
    )
    action = recipe.act(observation, noise)
    step = recipe.environment.step(now.state, action, of_step)
    alive = 1.0 - now.over
    reward = alive * step.reward
    age = now.age + alive
    terminated = alive * tf.cast(step.terminated, tf.float32)
    at_limit = tf.cast(age >= recipe.environment.max_steps, tf.float32)
    ended = tf.maximum(terminated, alive * at_limit)
    after = Running(step.state, ended, now.gained + reward, age)
    found = (
        observation,
        noise,
        reward,
        alive,
        terminated,
        ended,
        after.gained,
        after.age,
    )
    return recipe.then(now, after, of_reset), found
