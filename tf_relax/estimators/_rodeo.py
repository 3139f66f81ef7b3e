"""RODEO: leave-one-out with discrete Stein operators as control variates."""

from typing import Any

import keras
import tensorflow as tf

from tf_relax.control_variates import Function
from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import expand_like
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._evaluate import value_and_derivative
from tf_relax.estimators._leave_one_out import from_others
from tf_relax.estimators._registry import register
from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import Gradients


@keras.saving.register_keras_serializable(package="tf_relax")
class Surrogate(keras.layers.Layer):
    """`H(f, t) = t + network(f, t)`, and the scales a and b of RODEO.

    H stands for f less its mean, which the baseline takes away already.

    Args:
      hidden: tanh units of the network; 0 leaves it out. It starts at 0.
      scale: a and b at the start.

    Examples:
      >>> surrogate = Surrogate(hidden=4)
      >>> float(surrogate(tf.constant(1.0), tf.constant(0.5)))
      0.5
    """

    def __init__(
        self, hidden: int = 0, scale: float = 0.5, **kwargs: Any
    ) -> None:
        """See the class."""
        super().__init__(autocast=False, **kwargs)
        self.hidden, self.scale = hidden, scale
        at_scale = keras.initializers.Constant(scale)
        self.a = self.add_weight(shape=(), initializer=at_scale, name="a")
        self.b = self.add_weight(shape=(), initializer=at_scale, name="b")
        spread = keras.initializers.RandomNormal(stddev=0.1, seed=0)
        self.network = [
            self.add_weight(shape=(hidden,), initializer=start, name=name)
            for name, start in (
                ("of_f", spread),
                ("of_t", spread),
                ("bias", "zeros"),
                ("out", "zeros"),
            )
            if hidden
        ]
        self.built = True

    def call(self, f: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """Returns H, in the shape that f and t broadcast to."""
        if not self.hidden:
            return tf.zeros_like(f) + t
        of_f, of_t, bias, out = (tf.cast(w, t.dtype) for w in self.network)
        x = f[..., tf.newaxis] * of_f + t[..., tf.newaxis] * of_t + bias
        return t + tf.reduce_sum(tf.tanh(x) * out, -1)

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        config: dict[str, Any] = super().get_config()
        return config | {"hidden": self.hidden, "scale": self.scale}


@register("rodeo")
class RODEO(Estimator):
    """The RODEO estimator, of K >= 2 samples of Bernoulli b.

        (A h)(b) = sum_i p(b_i flips | the rest) (h(b with b_i flipped) - h(b))
        h_k(y) = mean_(j != k) H(f(b_j), f'(b_j) (y - b_j))
        r_k = f(b_k) + a (A h_k)(b_k)
        g = mean_k (f(b_k) - mean_(j != k) r_j) * d log p(b_k)
            + b (A (h_k d log p))(b_k)

    Unbiased for every surrogate H and every a and b, since `A h` has mean 0
    for every h. H is linear, or has a small network; it, a and b are learned
    by the variance of the gradient. K evaluations of `f`, and K with the
    derivative at the same samples: `f` must be differentiable TensorFlow, off
    the hard samples too. `K^2 D` evaluations of H. The paper has a mean over
    the units in A where this has the sum; a and b make up for it.

    Args:
      hidden: tanh units of H's network; 0 for a linear H.
      surrogate: a `Surrogate`; given when an estimator is loaded.

    References:
      [1]: Shi, Zhou, Hwang, Titsias, Mackey. Gradient estimation with
           discrete Stein operators. NeurIPS 2022.
           https://arxiv.org/abs/2202.09497

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> loss = tfr.expectation(f, q, estimator=RODEO(), seed=(0, 0))
      >>> loss.shape
      TensorShape([])
    """

    needs = BernoulliDraw
    counterpart = "DoubleCV"
    min_samples = 2

    def __init__(
        self, hidden: int = 0, *, surrogate: Surrogate | None = None
    ) -> None:
        """See the class."""
        self.control_variate = Function()
        self.surrogate = Surrogate(hidden) if surrogate is None else surrogate

    def gradient(
        self, draw: BernoulliDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        k, b, score = draw.num_samples, draw.sample, draw.score["logits"]
        _, slope = value_and_derivative(control_variate, b, value)
        change = 1.0 - 2.0 * b  # Of a unit that flips.
        own, flipped = self._surrogates(b, change, slope, value)
        # P(b_i flips) is that of the other outcome.
        p = tf.exp(draw.log_prob(1.0 - b))
        stein = _algebra.sum_after(p * (flipped - expand_like(own, b)), value)
        of_a, of_b = (
            tf.cast(x, value.dtype)
            for x in (self.surrogate.a, self.surrogate.b)
        )
        others = value - from_others(value, k)
        others += of_a * (stein - from_others(stein, k))
        return {
            "logits": expand_like(value - others + of_b * stein, b) * score
            + of_b * p * change * flipped
        }

    def _surrogates(
        self,
        b: tf.Tensor,
        change: tf.Tensor,
        slope: tf.Tensor,
        value: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `h_k(b_k)`, and `h_k` at each flip, in the shape of b."""
        # Axes: k, whose sample it is; j, whose value and slope.
        from_b = b[:, tf.newaxis] - b
        t = _algebra.sum_after(slope * from_b, value[tf.newaxis])
        flips = expand_like(t, from_b) + slope * change[:, tf.newaxis]
        own = self.surrogate(value, t)
        flipped = self.surrogate(expand_like(value, b), flips)
        return _mean_of_others(own), _mean_of_others(flipped)

    @property
    def layers(self) -> list[Any]:
        """See `Estimator.layers`."""
        return [self.surrogate]

    @property
    def trainable_variables(self) -> list[Any]:
        """See `Estimator.trainable_variables`."""
        return list(self.surrogate.trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"surrogate": self.surrogate}


def _mean_of_others(x: tf.Tensor) -> tf.Tensor:
    """Returns the mean over j != k, `[K, K, ...]` to `[K, ...]`."""
    k = x.shape[0]
    others = tf.reshape(1.0 - tf.eye(k, dtype=x.dtype), [k, k])
    return tf.reduce_sum(expand_like(others, x) * x, 1) / (k - 1)
