"""Floating samples, float32 at least, and pairs of uniforms."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax import relaxations


def at_least_float32(x: Any) -> tf.Tensor:
    """Returns `x` as float32, or as float64 if it is that."""
    x = tf.convert_to_tensor(x)
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)


def of_samples(dtype: Any, *parameters: Any) -> tf.DType:
    """Returns the dtype of samples: `dtype`, or what the parameters ask for.

    As in TFP, NumPy's default of float64 does not ask for anything.

    Raises:
      ValueError: if `dtype` is not floating.
    """
    if dtype is None:
        asking = (p for p in parameters if not isinstance(p, np.ndarray))
        return widest(*asking)
    dtype = tf.as_dtype(dtype)
    if not dtype.is_floating:
        raise ValueError(
            "`dtype` must be floating: samples are fed to networks and "
            f"control variates. Received: dtype={dtype.name}."
        )
    return dtype


def own_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Returns constructor arguments without what `locals()` adds to them."""
    return {
        name: value
        for name, value in parameters.items()
        if name != "self" and not name.startswith("__")
    }


def uniform_pair(
    seed: tf.Tensor, num_samples: int, like: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the uniforms of z and of z | b, in the shape of `like`."""
    shape = sample_shape(num_samples, like)
    u_seed, v_seed = relaxations.split_seed(seed, 2)
    return (
        relaxations.open_uniform(u_seed, shape, like.dtype),
        relaxations.open_uniform(v_seed, shape, like.dtype),
    )


def rarest(dtype: tf.DType) -> float:
    """Returns the probability below which an event counts as impossible."""
    return {tf.float32: 1e-37, tf.float64: 1e-300}[dtype]


def reciprocal(p: tf.Tensor) -> tf.Tensor:
    """Returns `1 / p`, or 0 where it is the probability of nothing."""
    possible = p >= rarest(p.dtype)
    return tf.where(possible, 1.0 / tf.where(possible, p, 1.0), 0.0)


def sample_shape(num_samples: int, like: tf.Tensor) -> tf.Tensor:
    """Returns the shape of draws: a leading axis only for several."""
    shape = tf.shape(like)
    return shape if num_samples == 1 else tf.concat([[num_samples], shape], 0)


def widest(*parameters: Any) -> tf.DType:
    """Returns float64 if a parameter has that dtype, else float32."""
    return tf.float64 if any(map(_is_float64, parameters)) else tf.float32


def _is_float64(parameter: Any) -> bool:
    dtype = getattr(parameter, "dtype", None)
    if dtype is None:
        return False
    return tf.as_dtype(dtype) == tf.float64 or dtype == np.float64
