"""RELAX of K samples, with the others' mean residual as a baseline."""

from typing import Any

import keras
import tensorflow as tf

from tf_relax.estimators._leave_one_out import from_others
from tf_relax.estimators._registry import register
from tf_relax.estimators._relax import RELAX


@keras.saving.register_keras_serializable(package="tf_relax")
class Coefficient(keras.layers.Layer):
    """Multiplies by one learned number.

    Args:
      start: the number at the start.

    Examples:
      >>> float(Coefficient(0.5)(tf.constant(3.0)))
      1.5
    """

    def __init__(self, start: float = 0.0, **kwargs: Any) -> None:
        """See the class."""
        kwargs.setdefault("dtype", keras.config.floatx())
        super().__init__(autocast=False, **kwargs)
        self.start = start
        self.number = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(start)
        )
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the multiple."""
        return tf.cast(self.number, x.dtype) * x

    def get_config(self) -> dict[str, Any]:
        """See `keras.layers.Layer.get_config`."""
        config: dict[str, Any] = super().get_config()
        return config | {"start": self.start}


@register("relax_k")
class RELAXK(RELAX):
    """RELAX of K >= 2 samples with a leave-one-out baseline.

        r_k = f(b_k) - c(zt_k)
        g = mean_k (r_k - beta mean_(j != k) r_j) * d log p(b_k)
            + d c(z_k) - d c(zt_k)

    Unbiased for every `c` and `beta`: the baseline of sample k is made of the
    other samples, which know nothing of `b_k`, and so
    `E[r_j d log p(b_k)] = E[r_j] E[d log p(b_k)] = 0`. `c(zt_k)` itself may
    not be part of it: `E[c(zt_k) d log p(b_k)]` is what the last two terms
    make up for, once. The baseline is of the residual and not of `f`: where
    `c` fits, `r` has a mean near 0 and there is nothing to take away, and the
    noise of `r_j` is all that is added. `beta` is therefore learned, with `c`,
    by the variance of the gradient. K evaluations of `f`, of which no
    derivative is taken, and K (with independent noises 2 K) of `c`.

    Args:
      control_variate: see `RELAX`.
      beta: at the start; or a `Coefficient`. At 0, good for a `c` with the
        relaxed f, this is `RELAX`; 1 suits a network alone, which has to find
        f's mean first.
      coupled: see `RELAX`.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           For the terms. https://arxiv.org/abs/1711.00123
      [2]: Kool et al. Buy 4 REINFORCE samples, get a baseline for free!
           DeepRLStructPred workshop at ICLR 2019. For the baseline.

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> f = lambda b: tf.reduce_sum(b, -1) ** 2
      >>> estimator = RELAXK(tfr.control_variates.Network((5,)), beta=1.0)
      >>> estimate = estimator.estimate(f, q, seed=(0, 0), num_samples=4)
      >>> estimate.gradients["logits"].shape
      TensorShape([3])
    """

    min_samples = 2

    def __init__(
        self,
        control_variate: Any,
        beta: float | Coefficient = 0.0,
        *,
        coupled: bool = True,
    ) -> None:
        """See the class."""
        super().__init__(control_variate, coupled=coupled)
        if not isinstance(beta, Coefficient):
            beta = Coefficient(beta)
        self.beta: Any = beta  # Keras has no types.

    def signal(self, residual: tf.Tensor, num_samples: int) -> tf.Tensor:
        """See `RELAX.signal`."""
        mean_of_others = residual - from_others(residual, num_samples)
        return residual - self.beta(mean_of_others)

    @property
    def layers(self) -> list[Any]:
        """See `Estimator.layers`."""
        return [*super().layers, self.beta]

    @property
    def trainable_variables(self) -> list[Any]:
        """See `Estimator.trainable_variables`."""
        return [*super().trainable_variables, *self.beta.trainable_variables]

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return super().get_config() | {"beta": self.beta}
