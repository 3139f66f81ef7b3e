"""Sums and multiples of control variates."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_relax.control_variates._base import ControlVariate


@keras.saving.register_keras_serializable(package="tf_relax")
class Sum(ControlVariate):
    """The sum of control variates, `c(z) = sum_i c_i(z)`.

    Args:
      terms: two or more `ControlVariate` layers.

    Examples:
      >>> from tf_relax.control_variates import Network, RelaxedFunction
      >>> c = RelaxedFunction() + Network(hidden=(10,))
      >>> len(c.terms)
      2
    """

    def __init__(self, terms: Sequence[ControlVariate], **kwargs: Any) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.terms = list(terms)

    def build(
        self, z_shape: Sequence[int], context_shape: Sequence[int] | None = None
    ) -> None:
        """See `keras.layers.Layer.build`."""
        for term in self.terms:
            if not term.built:
                term.build(z_shape, context_shape)
        self.built = True

    def call(
        self,
        z: tf.Tensor,
        f: Callable[[tf.Tensor], tf.Tensor] | None = None,
        squash: Callable[[tf.Tensor], tf.Tensor] | None = None,
        context: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See `ControlVariate`."""
        return sum(
            term(z, f=f, squash=squash, context=context) for term in self.terms
        )

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        terms = [keras.saving.serialize_keras_object(t) for t in self.terms]
        return {**super().get_config(), "terms": terms}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Sum":
        """See `keras.layers.Layer.from_config`."""
        terms = map(keras.saving.deserialize_keras_object, config.pop("terms"))
        return cls(terms=list(terms), **config)


@keras.saving.register_keras_serializable(package="tf_relax")
class Scaled(ControlVariate):
    """A multiple of a control variate, `eta * c(z)`, with a learned `eta`.

    Args:
      term: a `ControlVariate` layer.
      scale: `eta` at the start.

    Examples:
      >>> from tf_relax.control_variates import RelaxedFunction
      >>> rebar = Scaled(RelaxedFunction(temperature=0.5), scale=1.0)
      >>> len(rebar.trainable_variables)
      2
    """

    def __init__(
        self, term: ControlVariate, scale: float = 1.0, **kwargs: Any
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.term = term
        self.scale = scale
        self.eta = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(scale),
            name="eta",
        )
        self.built = term.built

    def build(
        self, z_shape: Sequence[int], context_shape: Sequence[int] | None = None
    ) -> None:
        """See `keras.layers.Layer.build`."""
        if not self.term.built:
            self.term.build(z_shape, context_shape)
        self.built = True

    def call(
        self,
        z: tf.Tensor,
        f: Callable[[tf.Tensor], tf.Tensor] | None = None,
        squash: Callable[[tf.Tensor], tf.Tensor] | None = None,
        context: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See `ControlVariate`."""
        c = self.term(z, f=f, squash=squash, context=context)
        return tf.cast(self.eta, c.dtype) * c

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        term = keras.saving.serialize_keras_object(self.term)
        return {**super().get_config(), "term": term, "scale": self.scale}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Scaled":
        """See `keras.layers.Layer.from_config`."""
        term = keras.saving.deserialize_keras_object(config.pop("term"))
        return cls(term, **config)
