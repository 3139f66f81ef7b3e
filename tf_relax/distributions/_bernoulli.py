"""`tfd.Bernoulli` with gradients of its expectations."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_relax import relaxations
from tf_relax.distributions import _dtypes
from tf_relax.distributions._methods import GradientMethods
from tf_relax.relaxations import Gradients


class Bernoulli(GradientMethods, tfp.distributions.Bernoulli):
    """`tfd.Bernoulli` that also knows the gradient of its expectations.

    Everything that TFP offers is inherited; samples are floating point, as
    networks want them.

    Examples:
      >>> q = Bernoulli(logits=tf.zeros([24, 200]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> estimate = q.rebar_gradient(f, seed=(0, 1))
      >>> estimate.value.shape, estimate.gradients["logits"].shape
      (TensorShape([24]), TensorShape([24, 200]))
    """

    def __init__(
        self,
        logits: Any = None,
        probs: Any = None,
        dtype: Any = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Bernoulli",
    ) -> None:
        """Makes the distribution.

        Args:
          logits: log-odds of a 1, `[B...]`, in nats; or
          probs: probabilities of a 1, `[B...]`. One of the two.
          dtype: of the samples, floating. Default: that of the parameter,
            float32 at least.
          validate_args: see `tfd.Bernoulli`.
          allow_nan_stats: see `tfd.Bernoulli`.
          name: see `tfd.Bernoulli`.

        Raises:
          ValueError: if not just one of `logits` and `probs` is given, or
            `dtype` is not floating.
        """
        parameters = dict(locals())
        super().__init__(
            logits=logits,
            probs=probs,
            dtype=_dtypes.of_samples(dtype, logits, probs),
            validate_args=validate_args,
            allow_nan_stats=allow_nan_stats,
            name=name,
        )
        self._parameters = _dtypes.own_parameters(parameters)

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> Any:
        # TFP warns of a subclass with an `__init__` and none of its own.
        return super()._parameter_properties(dtype, num_classes)

    def given_parameters(self) -> dict[str, Any]:
        """See `GradientMethods.given_parameters`."""
        if self._logits is not None:
            return {"logits": self._logits}
        return {"probs": self._probs}

    def draw(
        self, seed: tf.Tensor, num_samples: int = 1
    ) -> relaxations.RelaxedDraw:
        """See `GradientMethods.draw`."""
        logits = self._float_logits()
        return relaxations.bernoulli_draw(
            logits,
            *_dtypes.uniform_pair(seed, num_samples, logits),
            num_samples,
        )

    def squash(self, relaxed: tf.Tensor) -> tf.Tensor:
        """See `GradientMethods.squash`."""
        return tf.sigmoid(relaxed)

    def pull_back(self, gradients: Gradients) -> Gradients:
        """See `GradientMethods.pull_back`."""
        if self._logits is not None:
            return gradients
        p = _dtypes.at_least_float32(self._probs)
        slope = _dtypes.reciprocal(p * (1.0 - p))
        return {"probs": gradients["logits"] * slope}

    def _float_logits(self) -> tf.Tensor:
        if self._logits is not None:
            return _dtypes.at_least_float32(self._logits)
        p = _dtypes.at_least_float32(self._probs)
        # Certain outcomes (p = 0 or 1) stay finite, and certain.
        farthest = -math.log(_dtypes.rarest(p.dtype))
        return tf.clip_by_value(
            tf.math.log(p) - tf.math.log1p(-p), -farthest, farthest
        )
