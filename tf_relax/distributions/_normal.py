"""`tfd.Normal` and `tfd.MultivariateNormalDiag` with LAX gradients."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_relax import relaxations
from tf_relax.distributions import _dtypes
from tf_relax.distributions._methods import GradientMethods


class Normal(GradientMethods, tfp.distributions.Normal):
    """`tfd.Normal` that also knows the gradient of its expectations.

    Examples:
      >>> q = Normal(loc=tf.zeros([24, 3]), scale=1.0)
      >>> f = lambda b: tf.reduce_sum(b**2, -1)
      >>> c = lambda b: 0.9 * f(b)
      >>> q.lax_gradient(f, c, seed=(0, 1)).gradients["scale"].shape
      TensorShape([])
    """

    def given_parameters(self) -> dict[str, Any]:
        """See `GradientMethods.given_parameters`."""
        return {"loc": self._loc, "scale": self._scale}

    def draw(
        self, seed: tf.Tensor, num_samples: int = 1
    ) -> relaxations.PathwiseDraw:
        """See `GradientMethods.draw`."""
        return _draw(seed, num_samples, self._loc, self._scale)


class MultivariateNormalDiag(
    GradientMethods, tfp.distributions.MultivariateNormalDiag
):
    """`tfd.MultivariateNormalDiag` with the gradient of its expectations.

    Examples:
      >>> q = MultivariateNormalDiag(tf.zeros([24, 3]), tf.ones([3]))
      >>> f = lambda b: tf.reduce_sum(b**2, -1)
      >>> estimate = q.lax_gradient(f, f, seed=(0, 1))
      >>> estimate.gradients["scale_diag"].shape
      TensorShape([3])
    """

    def __init__(
        self,
        loc: Any = None,
        scale_diag: Any = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        experimental_use_kahan_sum: bool = False,
        name: str = "MultivariateNormalDiag",
    ) -> None:
        """See `tfd.MultivariateNormalDiag`.

        Raises:
          ValueError: if neither `loc` nor `scale_diag` is given.
        """
        parameters = dict(locals())
        given = {"loc": loc, "scale_diag": scale_diag}
        given = {name: x for name, x in given.items() if x is not None}
        if not given:
            raise ValueError(
                "`MultivariateNormalDiag` needs `loc`, `scale_diag` or both. "
                "Received: neither."
            )
        dtype = _dtypes.widest(*given.values())
        given = {
            # A variable stays one: it is read when it is used.
            name: x
            if hasattr(x, "assign")
            else tf.convert_to_tensor(x, dtype_hint=dtype)
            for name, x in given.items()
        }
        super().__init__(
            **given,
            validate_args=validate_args,
            allow_nan_stats=allow_nan_stats,
            experimental_use_kahan_sum=experimental_use_kahan_sum,
            name=name,
        )
        self._given = given
        self._parameters = _dtypes.own_parameters(parameters) | given

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> Any:
        # TFP warns of a subclass with an `__init__` and none of its own.
        return super()._parameter_properties(dtype, num_classes)

    def given_parameters(self) -> dict[str, Any]:
        """See `GradientMethods.given_parameters`."""
        return dict(self._given)

    def draw(
        self, seed: tf.Tensor, num_samples: int = 1
    ) -> relaxations.PathwiseDraw:
        """See `GradientMethods.draw`."""
        return _draw(
            seed,
            num_samples,
            self._given.get("loc", tf.zeros([1], self.dtype)),
            self._given.get("scale_diag", tf.ones([1], self.dtype)),
            event_ndims=1,
            scale_name="scale_diag",
        )


def _draw(
    seed: tf.Tensor, num_samples: int, loc: Any, scale: Any, **kwargs: Any
) -> relaxations.PathwiseDraw:
    loc = _dtypes.at_least_float32(loc)
    scale = _dtypes.at_least_float32(scale)
    shape = tf.broadcast_dynamic_shape(tf.shape(loc), tf.shape(scale))
    loc, scale = tf.broadcast_to(loc, shape), tf.broadcast_to(scale, shape)
    noise = relaxations.open_normal(
        relaxations.split_seed(seed, 2)[0],
        _dtypes.sample_shape(num_samples, loc),
        loc.dtype,
    )
    return relaxations.normal_draw(loc, scale, noise, num_samples, **kwargs)
