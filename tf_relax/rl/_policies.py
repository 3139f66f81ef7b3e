"""Policies: from observations to distributions of actions, and draws."""

import abc
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_relax import distributions
from tf_relax import relaxations
from tf_relax.rl._perceptron import Perceptrons


class Policy(keras.layers.Layer, abc.ABC):
    """R policies side by side, `[R, ..., O]` observations to actions.

    The noise of an action is kept with it: the draw, with its score and its
    relaxation, is made again from it where the gradient is taken.
    """

    @property
    @abc.abstractmethod
    def noise_size(self) -> int:
        """Returns how many uniforms make one action."""

    @abc.abstractmethod
    def distribution(self, observations: tf.Tensor) -> Any:
        """Returns the distribution of actions."""

    @abc.abstractmethod
    def draw(self, distribution: Any, noise: tf.Tensor) -> Any:
        """Returns the draw that uniforms `[R, ..., noise_size]` make."""

    def act(self, observations: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns the actions that uniforms `[R, ..., noise_size]` make."""
        sample: tf.Tensor = self.draw(
            self.distribution(observations), noise
        ).sample
        return sample

    @abc.abstractmethod
    def entropy(self, distribution: Any) -> tf.Tensor:
        """Returns the entropy of an action in nats, `[R, ...]`."""


@keras.saving.register_keras_serializable(package="tf_relax")
class CategoricalPolicy(Policy):
    """A perceptron with a one-hot action of A classes.

    Args:
      size_in: of an observation.
      num_actions: A.
      hidden: widths of the hidden layers.
      activation: of them.
      seeds: one a run.

    Examples:
      >>> policy = CategoricalPolicy(4, 2, seeds=[0, 1])
      >>> q = policy.distribution(tf.zeros([2, 5, 4]))
      >>> policy.draw(q, tf.fill([2, 5, policy.noise_size], 0.5)).sample.shape
      TensorShape([2, 5, 2])
    """

    def __init__(
        self,
        size_in: int,
        num_actions: int,
        hidden: Sequence[int] = (10, 10),
        activation: str = "relu",
        *,
        seeds: Sequence[int] = (0,),
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.num_actions = num_actions
        self.network = Perceptrons(
            size_in, hidden, num_actions, activation, seeds=seeds
        )
        self.built = True

    @property
    def noise_size(self) -> int:
        """See `Policy.noise_size`: u for z, then v for z given b."""
        return 2 * self.num_actions

    def distribution(
        self, observations: tf.Tensor
    ) -> distributions.OneHotCategorical:
        """See `Policy.distribution`."""
        return distributions.OneHotCategorical(
            logits=self.network(observations)
        )

    def draw(self, distribution: Any, noise: tf.Tensor) -> Any:
        """See `Policy.draw`."""
        u, v = tf.split(noise, 2, -1)
        return relaxations.categorical_draw(distribution.logits, u, v)

    def entropy(self, distribution: Any) -> tf.Tensor:
        """See `Policy.entropy`."""
        return distribution.entropy()

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        network = self.network
        return {
            **super().get_config(),
            "size_in": network.size_in,
            "num_actions": self.num_actions,
            "hidden": network.hidden,
            "activation": network.activation,
            "seeds": network.seeds,
        }


@keras.saving.register_keras_serializable(package="tf_relax")
class GaussianPolicy(Policy):
    """A perceptron with the mean of a normal action; one scale for all states.

    Args:
      size_in: of an observation.
      size_action: A.
      hidden: widths of the hidden layers.
      activation: of them.
      log_scale: at the start.
      seeds: one a run.

    Examples:
      >>> policy = GaussianPolicy(3, 1, seeds=[0, 1])
      >>> q = policy.distribution(tf.zeros([2, 5, 3]))
      >>> policy.draw(q, tf.fill([2, 5, policy.noise_size], 0.5)).sample.shape
      TensorShape([2, 5, 1])
    """

    def __init__(
        self,
        size_in: int,
        size_action: int,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        *,
        log_scale: float = 0.0,
        seeds: Sequence[int] = (0,),
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.network = Perceptrons(
            size_in, hidden, size_action, activation, seeds=seeds, last_gain=0.1
        )
        self.initial_log_scale = log_scale
        self.log_scale = self.add_weight(
            shape=(len(self.network.seeds), size_action),
            initializer=keras.initializers.Constant(log_scale),
            name="log_scale",
        )
        self.built = True

    @property
    def noise_size(self) -> int:
        """See `Policy.noise_size`."""
        return self.network.size_out

    def distribution(
        self, observations: tf.Tensor
    ) -> distributions.MultivariateNormalDiag:
        """See `Policy.distribution`."""
        loc = self.network(observations)
        scale = tf.exp(tf.cast(self.log_scale, loc.dtype))
        between = [1] * (loc.shape.rank - 2)
        scale = tf.reshape(scale, [-1, *between, self.network.size_out])
        return distributions.MultivariateNormalDiag(
            loc, tf.broadcast_to(scale, tf.shape(loc))
        )

    def draw(self, distribution: Any, noise: tf.Tensor) -> Any:
        """See `Policy.draw`."""
        parameters = distribution.given_parameters()
        return relaxations.normal_draw(
            parameters["loc"],
            parameters["scale_diag"],
            tf.math.ndtri(noise),
            event_ndims=1,
            scale_name="scale_diag",
        )

    def entropy(self, distribution: Any) -> tf.Tensor:
        """See `Policy.entropy`."""
        return distribution.entropy()

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        network = self.network
        return {
            **super().get_config(),
            "size_in": network.size_in,
            "size_action": network.size_out,
            "hidden": network.hidden,
            "activation": network.activation,
            "log_scale": self.initial_log_scale,
            "seeds": network.seeds,
        }
