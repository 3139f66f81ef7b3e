"""What was seen, done and gained; returns and their values beyond a cut."""

from typing import NamedTuple

import tensorflow as tf


class Trajectories(NamedTuple):
    """T steps of R runs and N copies of an environment.

    What step t led to is the observation at t + 1, the last one's is
    `last_observation`. An environment stands still for at least one step
    after the end of an episode, so that this is so there too; steps of no
    episode have `alive` 0, reward 0 and noise 1/2.
    """

    observations: tf.Tensor  # [R, N, T, O].
    noise: tf.Tensor  # [R, N, T, policy.noise_size], uniforms.
    rewards: tf.Tensor  # [R, N, T].
    alive: tf.Tensor  # [R, N, T], 1. where a step was taken.
    terminated: tf.Tensor  # [R, N, T], 1. where it ended an episode by itself.
    ended: tf.Tensor  # [R, N, T], 1. there, and where a time limit cut it.
    episode_return: tf.Tensor  # [R, N, T], undiscounted, so far.
    episode_length: tf.Tensor  # [R, N, T], steps so far.
    last_observation: tf.Tensor  # [R, N, O].

    @property
    def is_cut(self) -> tf.Tensor:
        """Returns 1. where rewards would have followed, `[R, N, T]`.

        That is where a time limit ended the episode, and at the last step of
        those that go on.
        """
        steps = tf.shape(self.alive)[-1]
        last = tf.one_hot(steps - 1, steps, dtype=self.alive.dtype)
        stops = tf.maximum(self.ended, last * self.alive)
        return stops * (1.0 - self.terminated)


def discounted_returns(
    rewards: tf.Tensor,
    discount: float,
    ended: tf.Tensor | None = None,
    beyond: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns `sum_(k >= t) discount^(k - t) r_k` within each episode.

        G_t = r_t + discount * ((1 - ended_t) G_(t+1) + beyond_t)

    Args:
      rewards: `[..., T]`.
      discount: in [0, 1].
      ended: `[..., T]`, 1. at the last step of an episode; none by default.
      beyond: `[..., T]`, zero but where the rewards are cut off: there, the
        value of the state after the step.

    Returns:
      `[..., T]`.

    Examples:
      >>> discounted_returns(tf.constant([1.0, 2.0, 4.0]), 0.5).numpy()
      array([3., 4., 4.], dtype=float32)
    """
    goes_on = tf.ones_like(rewards) if ended is None else 1.0 - ended
    if beyond is not None:
        rewards = rewards + discount * beyond
    by_step = [
        tf.transpose(x, [x.shape.rank - 1, *range(x.shape.rank - 1)])
        for x in (rewards, discount * goes_on)
    ]
    returns = tf.scan(
        lambda after, now: now[0] + now[1] * after,
        by_step,
        initializer=tf.zeros_like(by_step[0][0]),
        reverse=True,
    )
    return tf.transpose(returns, [*range(1, returns.shape.rank), 0])
