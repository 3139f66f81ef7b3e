"""What the latents of a layer are: bits, or one-hot units of C classes."""

import abc
import dataclasses
from typing import Any

import tensorflow as tf

from tf_relax import distributions
from tf_relax.models._bernoulli_elbo import log_bernoulli_ratio
from tf_relax.models._networks import at_least_float32
from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import CategoricalDraw
from tf_relax.relaxations import Draw


class Latents(abc.ABC):
    """How a model's networks, D numbers in and D numbers out, see latents.

    Attributes:
      kind: of their draws.
      event_ndims: how many trailing axes of b are one layer.
    """

    kind: type[Draw]
    event_ndims: int

    @abc.abstractmethod
    def shape(self, size: int) -> tuple[int, ...]:
        """Returns the shape of a layer's b, given the size of its logits.

        Raises:
          ValueError: if there is none.
        """

    @abc.abstractmethod
    def distribution(self, logits: tf.Tensor) -> Any:
        """Returns q(b), in float32 at least, of logits `[..., D]`."""

    @abc.abstractmethod
    def inputs(self, b: tf.Tensor) -> tf.Tensor:
        """Returns what a network is given for b or a relaxed b, `[..., D]`."""

    @abc.abstractmethod
    def mode(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the most probable b, of a distribution's logits."""

    @abc.abstractmethod
    def log_ratio(
        self, b: tf.Tensor, logits: tf.Tensor, other_logits: tf.Tensor
    ) -> tf.Tensor:
        """Returns `log p(b) - log p_other(b)` in nats, linear in b, `[...]`.

        Args:
          b: or a relaxed b.
          logits: of p, of b's shape or broadcastable to it.
          other_logits: of p_other, likewise.
        """

    def context(self, images: tf.Tensor, *below: tf.Tensor) -> tf.Tensor:
        """Returns images and the inputs of the layers below, side by side.

        Args:
          images: `[B, P]`.
          *below: samples, each of a layer, that begin with the same axes.

        Returns:
          `[..., B, C]`.
        """
        if not below:
            return images
        inputs = [self.inputs(b) for b in below]
        leading = tf.shape(inputs[0])[:-1]
        shape = tf.concat([leading, [images.shape[-1]]], 0)
        return tf.concat([tf.broadcast_to(images, shape), *inputs], -1)


class BernoulliLatents(Latents):
    """Bits, `[..., D]`; networks are given `2 b - 1`."""

    kind = BernoulliDraw
    event_ndims = 1

    def shape(self, size: int) -> tuple[int, ...]:
        """See `Latents.shape`."""
        return (size,)

    def distribution(self, logits: tf.Tensor) -> Any:
        """See `Latents.distribution`."""
        logits = tf.cast(logits, at_least_float32())
        return distributions.Bernoulli(logits=logits)

    def inputs(self, b: tf.Tensor) -> tf.Tensor:
        """See `Latents.inputs`."""
        return 2.0 * b - 1.0

    def mode(self, logits: tf.Tensor) -> tf.Tensor:
        """See `Latents.mode`."""
        return tf.cast(logits > 0, logits.dtype)

    def log_ratio(
        self, b: tf.Tensor, logits: tf.Tensor, other_logits: tf.Tensor
    ) -> tf.Tensor:
        """See `Latents.log_ratio`."""
        return log_bernoulli_ratio(b, logits, other_logits)


@dataclasses.dataclass(frozen=True)
class OneHotLatents(Latents):
    """One-hot units, `[..., D / C, C]`; networks are given b, flat.

    Attributes:
      num_classes: C of a unit.
    """

    num_classes: int
    kind = CategoricalDraw
    event_ndims = 2

    def shape(self, size: int) -> tuple[int, ...]:
        """See `Latents.shape`."""
        if size % self.num_classes:
            raise ValueError(
                "A layer must have whole units: the size of its logits must "
                f"be a multiple of num_classes={self.num_classes}. Received: "
                f"{size} logits."
            )
        return (size // self.num_classes, self.num_classes)

    def distribution(self, logits: tf.Tensor) -> Any:
        """See `Latents.distribution`."""
        logits = tf.cast(logits, at_least_float32())
        units = self.shape(logits.shape[-1])
        shape = tf.concat([tf.shape(logits)[:-1], units], 0)
        return distributions.OneHotCategorical(
            logits=tf.ensure_shape(
                tf.reshape(logits, shape), [*logits.shape[:-1], *units]
            )
        )

    def inputs(self, b: tf.Tensor) -> tf.Tensor:
        """See `Latents.inputs`."""
        size = b.shape[-2] * b.shape[-1]
        return tf.reshape(b, tf.concat([tf.shape(b)[:-2], [size]], 0))

    def mode(self, logits: tf.Tensor) -> tf.Tensor:
        """See `Latents.mode`."""
        top = tf.argmax(logits, -1)
        return tf.one_hot(top, self.num_classes, dtype=logits.dtype)

    def log_ratio(
        self, b: tf.Tensor, logits: tf.Tensor, other_logits: tf.Tensor
    ) -> tf.Tensor:
        """See `Latents.log_ratio`."""
        log_p = tf.nn.log_softmax(logits) - tf.nn.log_softmax(other_logits)
        return tf.reduce_sum(b * log_p, [-2, -1])


def latents_of(num_classes: int) -> Latents:
    """Returns bits for 0 classes, else one-hot units of so many.

    Raises:
      ValueError: if one class is asked for, or fewer than none.
    """
    if num_classes == 0:
        return BernoulliLatents()
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2, or 0 for Bernoulli latents. "
            f"Received: num_classes={num_classes}."
        )
    return OneHotLatents(num_classes)
