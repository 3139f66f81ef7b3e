"""One update of a policy gradient: returns, baseline, policy, variate."""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax.estimators import Estimator
from tf_relax.rl._gradient import policy_gradient
from tf_relax.rl._perceptron import Perceptrons
from tf_relax.rl._policies import Policy
from tf_relax.rl._rollout import discounted_returns
from tf_relax.rl._rollout import Trajectories


class Progress(NamedTuple):
    """What an update saw, before it: of R runs and N episodes each."""

    returns: tf.Tensor  # [R, N], undiscounted.
    lengths: tf.Tensor  # [R, N], steps.
    entropy: tf.Tensor  # [R], nats, mean over the steps.


class Learner:
    """R runs of a policy gradient, side by side, each with its own weights.

    An update plays N whole episodes with every policy and steps each
    optimizer once: the policy's by the estimate less the entropy bonus, the
    critic's by the squared error of `V(s)`, the control variate's by its
    objective, all at the weights that played.

    Args:
      policy: of R runs.
      estimator: `Reinforce()`, `LAX(c)` or `RELAX(c)`.
      critic: `V(s)`, of R runs and one output; None for no baseline.
      optimizers: of the policy, of the critic and of the control variate.
      discount: of the returns.
      entropy_weight: of the bonus, times the sum of the steps' entropies.
      objective: see `policy_gradient`.
      bootstrap: whether the value of the state after it stands for what the
        time limit cut off. Needs a critic.
      seed: of the episodes.

    Raises:
      ValueError: if `bootstrap` is asked for without a critic.
    """

    def __init__(
        self,
        policy: Policy,
        estimator: Estimator,
        critic: Perceptrons | None,
        optimizers: tuple[Any, Any, Any],
        *,
        discount: float = 0.99,
        entropy_weight: float = 0.01,
        objective: str = "weights",
        bootstrap: bool = False,
        seed: int = 0,
    ) -> None:
        """See the class."""
        if bootstrap and critic is None:
            raise ValueError(
                "`bootstrap` needs a critic. Received: critic=None. Pass "
                "bootstrap=False, or an estimator with a baseline."
            )
        self.policy = policy
        self.estimator = estimator
        self.critic = critic
        self.optimizers = optimizers
        self.discount = discount
        self.entropy_weight = entropy_weight
        self.objective = objective
        self.bootstrap = bootstrap
        self.seed = seed
        self._variables = (
            policy.trainable_variables,
            critic.trainable_variables if critic is not None else [],
            estimator.trainable_variables,
        )
        for optimizer, variables in zip(
            optimizers, self._variables, strict=True
        ):
            optimizer.build(variables)

    @property
    def num_runs(self) -> int:
        """Returns R."""
        return len(self.policy.network.seeds)

    @property
    def variables(self) -> list[Any]:
        """Returns all that changes: weights and the optimizers' state."""
        of_optimizers = [v for o in self.optimizers for v in o.variables]
        return [
            *(v for group in self._variables for v in group),
            *of_optimizers,
        ]

    def seed_of_update(self) -> tf.Tensor:
        """Returns the stateless seed of the update to come."""
        step = tf.cast(self.optimizers[0].iterations, tf.int32)
        return tf.stack([self.seed, step])

    def learn(self, paths: Trajectories) -> Progress:
        """Learns from episodes that the policy has just played."""
        returns = self.returns(paths)
        share = paths.alive / float(paths.alive.shape[1])
        with tf.GradientTape() as tape:
            values = self.values(paths.observations)
            error = tf.reduce_sum(share * tf.square(returns - values))
        by_critic = tape.gradient(error, self._variables[1])
        with tf.GradientTape() as tape:
            entropies = self.policy.entropy(
                self.policy.distribution(paths.observations)
            )
            bonus = self.entropy_weight * tf.reduce_sum(share * entropies)
        by_bonus = tape.gradient(
            bonus,
            [v.value for v in self._variables[0]],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        estimate = policy_gradient(
            self.policy,
            paths,
            tf.stop_gradient(returns - values),
            self.estimator,
            objective=self.objective,
        )
        by_policy = [
            g - b for g, b in zip(estimate.gradients, by_bonus, strict=True)
        ]
        by_variate = estimate.tape.gradient(
            estimate.objective,
            [v.value for v in self._variables[2]],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        for optimizer, gradients, variables in zip(
            self.optimizers,
            (by_policy, by_critic, by_variate),
            self._variables,
            strict=True,
        ):
            if variables:
                optimizer.apply(gradients, variables)
        steps = tf.reduce_sum(paths.alive, [1, 2])
        return Progress(
            tf.reduce_sum(paths.rewards, -1),
            tf.reduce_sum(paths.alive, -1),
            tf.reduce_sum(paths.alive * entropies, [1, 2]) / steps,
        )

    def values(self, observations: tf.Tensor) -> tf.Tensor:
        """Returns `V(s)`, zero without a critic."""
        if self.critic is None:
            return tf.zeros(tf.shape(observations)[:-1])
        return tf.squeeze(self.critic(observations), -1)

    def returns(self, paths: Trajectories) -> tf.Tensor:
        """Returns discounted returns from each step on, `[R, N, T]`."""
        if not self.bootstrap:
            return discounted_returns(paths.rewards, self.discount)
        after = tf.concat(
            [paths.alive[..., 1:], tf.zeros_like(paths.alive[..., :1])], -1
        )
        is_last = paths.alive * (1.0 - after)
        value = self.values(paths.last_observation) * (1.0 - paths.terminated)
        return discounted_returns(
            paths.rewards,
            self.discount,
            is_last * tf.stop_gradient(value)[..., tf.newaxis],
        )
