"""One update of a policy gradient: returns, baseline, policy, variate."""

import dataclasses
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax.estimators import Estimator
from tf_relax.rl._gradient import policy_gradient
from tf_relax.rl._normaliser import Normaliser
from tf_relax.rl._perceptron import Perceptrons
from tf_relax.rl._policies import Policy
from tf_relax.rl._trajectories import discounted_returns
from tf_relax.rl._trajectories import Trajectories


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a `Learner` learns.

    Attributes:
      discount: of the returns, in [0, 1].
      entropy_weight: of the bonus, times the sum of the steps' entropies.
      objective: of the control variate, see `policy_gradient`.
      bootstrap: whether the value of the state after it stands for what a
        time limit or the end of the steps cut off. Needs a critic.
      critic_steps: of the critic's optimizer, an update.
      control_variate_steps: of the control variate's.
    """

    discount: float = 0.99
    entropy_weight: float = 0.01
    objective: str = "weights"
    bootstrap: bool = False
    critic_steps: int = 1
    control_variate_steps: int = 1


class Optimizers(NamedTuple):
    """Of the parts of a learner, Keras optimizers."""

    policy: Any
    critic: Any
    control_variate: Any


class Learner:
    """R runs of a policy gradient, side by side, each with its own weights.

    An update takes steps that the policy has played. All estimates are made
    with the weights that played; the control variate and the critic learn
    after their last word was heard, so that none of them knows its own data.

    Args:
      policy: of R runs.
      estimator: `Reinforce()`, `LAX(c)` or `RELAX(c)`.
      critic: `V(s)`, of R runs and one output; None for no baseline.
      optimizers: `Optimizers`, or a tuple in that order.
      recipe: how it learns.
      normaliser: of the observations; None for none.
      seed: of the actions and the environments.

    Raises:
      ValueError: if a critic is needed and there is none.
    """

    def __init__(
        self,
        policy: Policy,
        estimator: Estimator,
        critic: Perceptrons | None,
        optimizers: tuple[Any, Any, Any],
        recipe: Recipe | None = None,
        *,
        normaliser: Normaliser | None = None,
        seed: int = 0,
    ) -> None:
        """See the class."""
        self.recipe = recipe or Recipe()
        if self.recipe.bootstrap and critic is None:
            raise ValueError(
                "`bootstrap` needs a critic. Received: critic=None. Pass "
                "bootstrap=False, or an estimator with a baseline."
            )
        self.policy = policy
        self.estimator = estimator
        self.critic = critic
        self.optimizers = Optimizers(*optimizers)
        self.normaliser = normaliser
        self.seed = seed
        self._variables = Optimizers(
            policy.trainable_variables,
            critic.trainable_variables if critic is not None else [],
            estimator.trainable_variables,
        )
        for optimizer, variables in zip(
            self.optimizers, self._variables, strict=True
        ):
            optimizer.build(variables)

    @property
    def num_runs(self) -> int:
        """Returns R."""
        return len(self.policy.network.seeds)

    @property
    def variables(self) -> list[Any]:
        """Returns all that changes: weights and the optimizers' state."""
        return [
            *(v for group in self._variables for v in group),
            *(v for o in self.optimizers for v in o.variables),
            *(self.normaliser.variables if self.normaliser else []),
        ]

    @property
    def policy_variables(self) -> list[Any]:
        """Returns the weights that act, and what normalises their input."""
        return [
            *self._variables.policy,
            *(self.normaliser.variables if self.normaliser else []),
        ]

    def seed_of_update(self) -> tf.Tensor:
        """Returns the stateless seed of the update to come."""
        step = tf.cast(self.optimizers.policy.iterations, tf.int32)
        return tf.stack([self.seed, step])

    def act(self, observations: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns actions; see `Policy.act`."""
        return self.policy.act(self._normalised(observations), noise)

    def learn(self, seen: Trajectories) -> tf.Tensor:
        """Learns from steps that the policy has just played.

        Returns:
          The entropy of the actions in nats, mean over the steps, `[R]`.
        """
        paths = self.normalised(seen)
        returns = self.returns(paths)
        advantages = returns - self.values(paths.observations)
        share = paths.alive / float(paths.alive.shape[1])
        by_bonus, entropies = self._entropy_bonus(paths, share)
        by_policy = self._learn_control_variate(paths, advantages)
        self._learn_critic(paths, returns, share)
        self.optimizers.policy.apply(
            [g - b for g, b in zip(by_policy, by_bonus, strict=True)],
            self._variables.policy,
        )
        if self.normaliser is not None:
            self.normaliser.observe(seen.observations, seen.alive)
        return tf.reduce_sum(paths.alive * entropies, [1, 2]) / tf.reduce_sum(
            paths.alive, [1, 2]
        )

    def values(self, observations: tf.Tensor) -> tf.Tensor:
        """Returns `V(s)` of normalised observations, zero without a critic."""
        if self.critic is None:
            return tf.zeros(tf.shape(observations)[:-1])
        return tf.squeeze(self.critic(observations), -1)

    def returns(self, paths: Trajectories) -> tf.Tensor:
        """Returns discounted returns of normalised paths, `[R, N, T]`."""
        recipe = self.recipe
        if not recipe.bootstrap:
            return discounted_returns(
                paths.rewards, recipe.discount, paths.ended
            )
        led_to = tf.concat(
            [
                paths.observations[:, :, 1:],
                paths.last_observation[:, :, tf.newaxis],
            ],
            2,
        )
        return discounted_returns(
            paths.rewards,
            recipe.discount,
            paths.ended,
            paths.is_cut * self.values(led_to),
        )

    def normalised(self, paths: Trajectories) -> Trajectories:
        """Returns trajectories as the networks see them."""
        return paths._replace(
            observations=self._normalised(paths.observations),
            last_observation=self._normalised(paths.last_observation),
        )

    def _normalised(self, observations: tf.Tensor) -> tf.Tensor:
        if self.normaliser is None:
            return observations
        return self.normaliser(observations)

    def _entropy_bonus(
        self, paths: Trajectories, share: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns the bonus' gradient by the policy, and the entropies."""
        with tf.GradientTape() as tape:
            entropies = self.policy.entropy(
                self.policy.distribution(paths.observations)
            )
            bonus = self.recipe.entropy_weight * tf.reduce_sum(
                share * entropies
            )
        gradients = tape.gradient(
            bonus,
            [v.value for v in self._variables.policy],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return gradients, entropies

    def _learn_control_variate(
        self, paths: Trajectories, advantages: tf.Tensor
    ) -> list[tf.Tensor]:
        """Steps c's optimizer; returns the policy gradient with c before."""

        def step() -> list[tf.Tensor]:
            estimate = policy_gradient(
                self.policy,
                paths,
                advantages,
                self.estimator,
                objective=self.recipe.objective,
            )
            variables = self._variables.control_variate
            if variables:
                gradients = estimate.tape.gradient(
                    estimate.objective,
                    [v.value for v in variables],
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
                self.optimizers.control_variate.apply(gradients, variables)
            return estimate.gradients

        gradients = step()
        if self._variables.control_variate:
            _repeat(step, self.recipe.control_variate_steps - 1)
        return gradients

    def _learn_critic(
        self, paths: Trajectories, returns: tf.Tensor, share: tf.Tensor
    ) -> None:
        """Steps the critic's optimizer by the squared error of `V(s)`."""
        if self.critic is None:
            return
        variables = self._variables.critic

        def step() -> None:
            with tf.GradientTape() as tape:
                error = returns - self.values(paths.observations)
                loss = tf.reduce_sum(share * tf.square(error))
            gradients = tape.gradient(loss, [v.value for v in variables])
            self.optimizers.critic.apply(gradients, variables)

        _repeat(step, self.recipe.critic_steps)


def _repeat(step: Any, times: int) -> None:
    """Runs a step several times, in one program."""
    if times == 1:
        step()
    elif times > 1:

        def body(i: tf.Tensor) -> tf.Tensor:
            step()
            return i + 1

        tf.while_loop(
            lambda i: i < times, body, [tf.constant(0)], parallel_iterations=1
        )
