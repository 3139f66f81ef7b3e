"""`tfd.Independent` with gradients of its expectations."""

import dataclasses
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_relax import relaxations
from tf_relax.distributions._methods import GradientMethods
from tf_relax.relaxations import Gradients


class Independent(GradientMethods, tfp.distributions.Independent):
    """`tfd.Independent` around a distribution of this package.

    Its gradients are keyed by the parameters of the distribution inside, and
    `f` must reduce the axes that became part of the event.

    Examples:
      >>> import tf_relax as tfr
      >>> tfrd = tfr.distributions
      >>> q = Independent(tfrd.Bernoulli(logits=tf.zeros([24, 200])), 1)
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> q.rebar_gradient(f, seed=(0, 1)).gradients["logits"].shape
      TensorShape([24, 200])
    """

    def __init__(
        self,
        distribution: Any,
        reinterpreted_batch_ndims: Any = None,
        validate_args: bool = False,
        experimental_use_kahan_sum: bool = False,
        name: str | None = None,
    ) -> None:
        """See `tfd.Independent`.

        Raises:
          TypeError: if `distribution` has no gradient methods.
        """
        if not isinstance(distribution, GradientMethods):
            kind = type(distribution)
            raise TypeError(
                "`Independent` needs a distribution of tf_relax.distributions. "
                f"Received: {kind.__module__}.{kind.__name__}. Use the class "
                f"of the same name there, or tfd.Independent."
            )
        super().__init__(
            distribution,
            reinterpreted_batch_ndims,
            validate_args=validate_args,
            experimental_use_kahan_sum=experimental_use_kahan_sum,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> Any:
        # TFP warns of a subclass with an `__init__` and none of its own.
        return super()._parameter_properties(dtype, num_classes)

    def given_parameters(self) -> dict[str, Any]:
        """See `GradientMethods.given_parameters`."""
        return self.distribution.given_parameters()

    def draw(self, seed: tf.Tensor, num_samples: int = 1) -> relaxations.Draw:
        """See `GradientMethods.draw`."""
        draw = self.distribution.draw(seed, num_samples)
        moved = self.distribution.batch_shape.rank - self.batch_shape.rank
        return dataclasses.replace(draw, event_ndims=draw.event_ndims + moved)

    def squash(self, relaxed: tf.Tensor) -> tf.Tensor:
        """See `GradientMethods.squash`."""
        return self.distribution.squash(relaxed)

    def pull_back(self, gradients: Gradients) -> Gradients:
        """See `GradientMethods.pull_back`."""
        return self.distribution.pull_back(gradients)
