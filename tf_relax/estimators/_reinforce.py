"""REINFORCE, the score-function estimator, with an optional baseline."""

from typing import Any

import keras
import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


@keras.saving.register_keras_serializable(package="tf_relax")
class MovingAverage(keras.layers.Layer):
    """The exponential moving average of f's mean, as a baseline.

    It is corrected for its start at zero, and it is used before the value at
    hand enters it: a baseline must not depend on the draw that it is for.

    Args:
      decay: of the average, in [0, 1).

    Raises:
      ValueError: if `decay` is outside [0, 1).

    Examples:
      >>> baseline = MovingAverage(decay=0.5)
      >>> baseline.update(tf.constant([1.0, 3.0]))
      >>> float(baseline.read())
      2.0
    """

    def __init__(self, decay: float = 0.99, **kwargs: Any) -> None:
        """See the class."""
        super().__init__(trainable=False, **kwargs)
        if not 0 <= decay < 1:
            raise ValueError(
                f"`decay` must be in [0, 1). Received: decay={decay}."
            )
        self.decay = decay
        self.average = self.add_weight(
            shape=(), initializer="zeros", name="average"
        )
        self.weight = self.add_weight(
            shape=(), initializer="zeros", name="weight"
        )
        self.built = True

    def read(self) -> tf.Tensor:
        """Returns the average, 0 before the first update. Scalar."""
        return tf.math.divide_no_nan(
            tf.convert_to_tensor(self.average),
            tf.convert_to_tensor(self.weight),
        )

    def update(self, value: tf.Tensor) -> None:
        """Takes the mean of `value` into the average; of nothing, nothing."""
        mean = tf.cast(tf.reduce_mean(value), self.average.dtype)
        keep, empty = self.decay, tf.equal(tf.size(value), 0)
        average = keep * self.average + (1 - keep) * mean
        weight = keep * self.weight + (1 - keep)
        # The mean of no examples is NaN, and would stay.
        self.average.assign(tf.where(empty, self.average, average))
        self.weight.assign(tf.where(empty, self.weight, weight))

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        config: dict[str, Any] = super().get_config()
        config.pop("trainable", None)
        return config | {"decay": self.decay}


@register("reinforce")
class Reinforce(Estimator):
    """The score-function estimator.

        g = (f(b) - baseline) * d log p(b)

    Unbiased for every distribution and every `f`. One evaluation of `f` a
    sample, no derivative of it.

    Args:
      baseline: None, or a `MovingAverage`, which `expectation` and
        `reinforce_gradient` update after each use.

    References:
      [1]: Williams. Simple statistical gradient-following algorithms for
           connectionist reinforcement learning. Machine Learning 8, 1992.

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([2]))
      >>> f = lambda b: tf.reduce_sum(b, -1)
      >>> q.reinforce_gradient(f, seed=(0, 0)).gradients["logits"].shape
      TensorShape([2])
    """

    def __init__(self, baseline: MovingAverage | None = None) -> None:
        """See the class."""
        self.baseline = baseline

    def gradient(
        self, draw: Draw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        if self.baseline is not None:
            value = value - tf.cast(self.baseline.read(), value.dtype)
        return _algebra.scale(draw.score, value)

    def observe(self, value: tf.Tensor, c: ScalarFn) -> None:
        """See `Estimator.observe`."""
        del c
        if self.baseline is not None:
            self.baseline.update(value)

    @property
    def layers(self) -> list[Any]:
        """See `Estimator.layers`."""
        return [] if self.baseline is None else [self.baseline]

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"baseline": self.baseline}
