"""f of several stochastic layers, as a function of one of them."""

from collections.abc import Callable
import dataclasses
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class LayerFunction:
    """`f(b_1, ..., b_L)` as a function of layer l alone.

    The layers below keep their samples. Those above follow from layer l: as
    their means when it is called like any function, or relaxed.

    Attributes:
      f: takes all samples.
      below: the samples of layers 1 to l - 1.
      above: for each layer above, the function from the sample under it to
        its distribution, and the seed of its noise.
    """

    f: Callable[..., Any]
    below: tuple[tf.Tensor, ...]
    above: tuple[tuple[Callable[[tf.Tensor], Any], tf.Tensor], ...]

    def __call__(self, sample: tf.Tensor) -> Any:
        """Returns f with the means of the layers above, one after another."""
        samples = [sample]
        for conditional, _ in self.above:
            samples.append(conditional(samples[-1]).mean())
        return self.f(*self.below, *samples)

    def hard(self, sample: tf.Tensor) -> Any:
        """Returns f with hard samples of the layers above.

        They are of the same seeds; for samples of the same shape as those of
        the hard pass, of the same noise.
        """
        samples = [sample]
        for conditional, seed in self.above:
            given = conditional(samples[-1])
            samples.append(tf.cast(given.draw(seed).sample, given.dtype))
        return self.f(*self.below, *samples)

    def relaxed(self, sample: tf.Tensor, inverse_temperature: Any) -> Any:
        """Returns f with the layers above relaxed, by their own noise.

        It is the noise of the hard pass. For any fixed value of it, f is a
        function of layer l alone, so that an estimator of layer l which is
        unbiased for every control variate is unbiased with this one.

        Args:
          sample: of layer l, relaxed.
          inverse_temperature: `1 / lambda`, of the layers above.

        Raises:
          TypeError: if a layer above is not discrete.
        """
        samples = [sample]
        for conditional, seed in self.above:
            distribution = conditional(samples[-1])
            z = getattr(distribution.draw(seed), "relaxed", None)
            if z is None:
                raise TypeError(
                    "The layers above a relaxed one must be discrete. "
                    f"Received: {type(distribution).__name__}. Use RELAX with "
                    "a Network alone, or Reinforce, below it."
                )
            samples.append(distribution.squash(z * inverse_temperature))
        return self.f(*self.below, *samples)
