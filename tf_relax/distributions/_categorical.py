"""`tfd.OneHotCategorical` with gradients of its expectations."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_relax import relaxations
from tf_relax.distributions import _dtypes
from tf_relax.distributions._methods import GradientMethods
from tf_relax.relaxations import Gradients


class OneHotCategorical(GradientMethods, tfp.distributions.OneHotCategorical):
    """`tfd.OneHotCategorical` that knows the gradient of its expectations.

    Everything that TFP offers is inherited; samples are floating point.

    Examples:
      >>> q = OneHotCategorical(logits=tf.zeros([24, 20, 10]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, [-2, -1])
      >>> q.rebar_gradient(f, seed=(0, 1)).gradients["logits"].shape
      TensorShape([24, 20, 10])
    """

    def __init__(
        self,
        logits: Any = None,
        probs: Any = None,
        dtype: Any = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "OneHotCategorical",
    ) -> None:
        """Makes the distribution.

        Args:
          logits: unnormalised log-probabilities, `[B..., K]`, in nats; or
          probs: probabilities, `[B..., K]`. One of the two.
          dtype: of the samples, floating. Default: that of the parameter,
            float32 at least.
          validate_args: see `tfd.OneHotCategorical`.
          allow_nan_stats: see `tfd.OneHotCategorical`.
          name: see `tfd.OneHotCategorical`.

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
        return relaxations.categorical_draw(
            logits,
            *_dtypes.uniform_pair(seed, num_samples, logits),
            num_samples,
        )

    def squash(self, relaxed: tf.Tensor) -> tf.Tensor:
        """See `GradientMethods.squash`."""
        return tf.nn.softmax(relaxed)

    def pull_back(self, gradients: Gradients) -> Gradients:
        """See `GradientMethods.pull_back`."""
        if self._logits is not None:
            return gradients
        p = _dtypes.at_least_float32(self._probs)
        return {"probs": gradients["logits"] * _dtypes.reciprocal(p)}

    def _log_prob(self, event: tf.Tensor) -> tf.Tensor:
        # TFP has NaN where a class is impossible: 0 times minus infinity.
        if self._logits is None:
            p = tf.convert_to_tensor(self._probs)
            p /= tf.reduce_sum(p, -1, keepdims=True)
            chosen = tf.math.xlogy(tf.cast(event, p.dtype), p)
        else:
            log_p = tf.nn.log_softmax(self._logits)
            event = tf.cast(event, log_p.dtype)
            chosen = tf.math.multiply_no_nan(log_p, event)
        return tf.reduce_sum(chosen, -1)

    def _float_logits(self) -> tf.Tensor:
        if self._logits is not None:
            return _dtypes.at_least_float32(self._logits)
        p = _dtypes.at_least_float32(self._probs)
        # A class of probability 0 stays finite, and impossible.
        return tf.math.log(tf.maximum(p, _dtypes.rarest(p.dtype)))
