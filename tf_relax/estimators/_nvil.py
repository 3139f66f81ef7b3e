"""NVIL: REINFORCE with a learned, input-dependent baseline."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_relax.control_variates import ControlVariate
from tf_relax.control_variates import Network
from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._registry import register
from tf_relax.estimators._reinforce import MovingAverage
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


@keras.saving.register_keras_serializable(package="tf_relax")
class Baseline(ControlVariate):
    """A network of the context alone: a baseline that does not see z.

    Without a context it is one learned number.

    Args:
      hidden: widths of the hidden layers.
      activation: of the hidden layers, a name that Keras knows.
      seed: of the initial weights.

    Examples:
      >>> baseline = Baseline(hidden=(100,))
      >>> baseline.build((None, 10), (None, 784))
      >>> z, images = tf.zeros([24, 10]), tf.zeros([24, 784])
      >>> baseline(z, context=images).shape
      TensorShape([24])
    """

    def __init__(
        self,
        hidden: Sequence[int] = (100,),
        activation: str = "tanh",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        self.network = Network(hidden, activation, seed=seed)

    def build(
        self, z_shape: Sequence[Any], context_shape: Sequence[Any] | None = None
    ) -> None:
        """See `keras.layers.Layer.build`."""
        del z_shape
        self.network.build((1, 1) if context_shape is None else context_shape)
        self.built = True

    def call(
        self,
        z: tf.Tensor,
        f: Any = None,
        squash: Any = None,
        context: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See `ControlVariate`."""
        del f, squash
        if context is None:
            context = tf.zeros([1], z.dtype)
        return self.network(tf.cast(context, z.dtype))

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        return {
            **super().get_config(),
            "hidden": self.network.hidden,
            "activation": self.network.activation,
            "seed": self.network.seed,
        }


@register("nvil")
class NVIL(Estimator):
    """REINFORCE with the baselines of NVIL.

        g = (f(b) - C(x) - a) / max(1, s) * d log p(b)

    `C` is a network of the context x, trained to predict `f(b) - a`; `a` is
    the moving average of `f(b) - C(x)` and `s` that of its standard
    deviation. All three are of earlier draws. Without `normalize` there is
    no `s`, and the estimate is unbiased; with it, it is unbiased up to the
    factor `1 / max(1, s)`, which changes slowly: harmless under Adam, but the
    encoder's gradient is then on another scale than the decoder's. One
    evaluation of `f`, no derivative of it.

    Args:
      baseline: a `Baseline`; None makes one.
      decay: of the moving averages.
      normalize: whether to divide by `max(1, s)`.
      averages: those of the mean and of the square; given when an estimator
        is loaded.

    Raises:
      TypeError: if `baseline` is anything else.

    References:
      [1]: Mnih, Gregor. Neural variational inference and learning in belief
           networks. ICML 2014. https://arxiv.org/abs/1402.0030

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([24, 4]))
      >>> f = lambda b: tf.reduce_sum(b, -1)
      >>> loss = tfr.expectation(f, q, estimator=NVIL(), seed=(0, 0),
      ...                        context=tf.zeros([24, 3]))
      >>> loss.shape
      TensorShape([24])
    """

    def __init__(
        self,
        baseline: Baseline | None = None,
        decay: float = 0.9,
        *,
        normalize: bool = False,
        averages: Sequence[MovingAverage] | None = None,
    ) -> None:
        """See the class."""
        if baseline is not None and not isinstance(baseline, Baseline):
            raise TypeError(
                "`baseline` must be a tf_relax.estimators.Baseline, which does "
                f"not see z. Received: baseline={baseline!r}. Subclass it for "
                "a network of your own."
            )
        self.control_variate = Baseline() if baseline is None else baseline
        self.decay = decay
        self.normalize = normalize
        self.averages = averages or [MovingAverage(decay) for _ in range(2)]

    def gradient(
        self, draw: Draw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        # Its variables have an objective of their own.
        signal = tf.stop_gradient(
            value - self._predicted(value, control_variate)
        )
        signal *= tf.cast(self.factor(), value.dtype)
        return _algebra.scale(draw.score, signal)

    def objective(
        self, squared_norm: tf.Tensor, draw: Any, value: tf.Tensor, c: ScalarFn
    ) -> tf.Tensor:
        """Returns the squared error of the prediction, of each example."""
        del squared_norm
        return _algebra.mean_of(
            tf.square(value - self._predicted(value, c)), draw
        )

    def observe(self, value: tf.Tensor, c: ScalarFn) -> None:
        """See `Estimator.observe`."""
        rest = value - c(value)
        mean, square = self.averages
        square.update(tf.square(rest - tf.cast(mean.read(), rest.dtype)))
        mean.update(rest)

    def factor(self) -> tf.Tensor:
        """See `Estimator.factor`."""
        if not self.normalize:
            return tf.ones([])
        return 1.0 / tf.maximum(self.deviation(), 1.0)

    def deviation(self) -> tf.Tensor:
        """Returns s, the standard deviation that the signal has had."""
        return tf.sqrt(self.averages[1].read())

    @property
    def layers(self) -> list[Any]:
        """See `Estimator.layers`."""
        return [self.control_variate, *self.averages]

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {
            "baseline": self.control_variate,
            "decay": self.decay,
            "normalize": self.normalize,
            "averages": self.averages,
        }

    def _predicted(self, value: tf.Tensor, c: ScalarFn) -> tf.Tensor:
        """Returns `C(x) + a`; c ignores what it is called with."""
        average = tf.cast(self.averages[0].read(), value.dtype)
        return tf.cast(c(value), value.dtype) + average
