"""Evaluation of `f` and of control variates, and the checks of their shapes."""

from collections.abc import Callable, Sequence
import contextlib
from typing import Any

from absl import logging
import numpy as np
import tensorflow as tf

from tf_relax.relaxations import Draw

ScalarFn = Callable[[tf.Tensor], Any]

# What NumPy, `float(b)`, `b.numpy()` and `if b > 0` raise in graph mode.
_NOT_TRACEABLE = (NotImplementedError, AttributeError, TypeError)


def evaluate(
    f: Callable[..., Any], samples: Sequence[tf.Tensor], draw: Draw
) -> tf.Tensor:
    """Returns `f(b)` as a floating tensor of a leading part of b's shape.

    It has the dtype that the estimator computes in, the draw's.

    In graph mode an `f` that TensorFlow cannot trace (NumPy, a simulator) is
    called from Python each time the graph runs. Tapes do not see into it, and
    XLA cannot compile it.

    Args:
      f: the function, `[..., E...] -> [...]`, of one sample or of one a
        layer.
      samples: what f is given, `[K, B..., E...]` each.
      draw: of the first of them; says which shapes f may return.

    Raises:
      TypeError: if `f` cannot be traced and uses variables, which would get no
        gradient.
      ValueError: if the value is None or not floating, or has another shape.
    """
    if tf.executing_eagerly():
        value = f(*samples)
    else:
        try:
            value = f(*samples)
        except _NOT_TRACEABLE as error:
            _check_no_variables(f, samples, error)
            value = _call_python(f, samples, draw, error)
    if value is None:
        raise ValueError("`f` must return a tensor. Received: None.")
    value = tf.convert_to_tensor(value)
    _check_value(value, samples[0].shape, draw)
    return tf.cast(value, draw.sample.dtype)


def value_and_derivative(
    control_variate: ScalarFn, point: tf.Tensor, value: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `c(z)`, with the shape of `value`, and `dc / dz`.

    Both stay connected to the variables that an outer tape watches.

    Args:
      control_variate: c.
      point: z, `[K, B..., E...]`.
      value: f(b), `[K, B...]`.

    Raises:
      ValueError: if `c(z)` does not have the shape of `value`, which is f(b),
        or is not a floating tensor.
      TypeError: if it is not callable.
    """
    if not callable(control_variate):
        raise TypeError(
            "`control_variate` must be callable. Received: "
            f"control_variate={control_variate!r}."
        )
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        c = control_variate(point)
        if isinstance(c, np.ndarray):  # Biased in silence: no derivative.
            raise ValueError(
                "`control_variate` must be TensorFlow; only f may be anything. "
                "Received: a NumPy array."
            )
        c = tf.convert_to_tensor(c)
        if not c.dtype.is_floating:
            raise ValueError(
                "`control_variate` must return floating values. Received: "
                f"dtype={c.dtype.name}."
            )
        if not c.shape.is_compatible_with(value.shape):
            raise ValueError(
                "`control_variate` must return the shape of f(b). Received: "
                f"c(z).shape={c.shape}, f(b).shape={value.shape}, "
                f"z.shape={point.shape}. Reduce over the axes that f reduces."
            )
        c = tf.cast(c, point.dtype)
    derivative = tape.gradient(c, point)
    if derivative is None:
        logging.log_first_n(
            logging.WARNING,
            "A control variate has no derivative by z. That is right for a "
            "constant; if it depends on z, the estimate is biased.",
            1,
        )
        derivative = tf.zeros_like(point)
    return c, derivative


def expand_like(value: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Appends axes of size 1 to `value` until it has the rank of `like`."""
    if value.shape.rank is None:  # A Python f in graph mode.
        ones = tf.ones([tf.rank(like) - tf.rank(value)], tf.int32)
        return tf.reshape(value, tf.concat([tf.shape(value), ones], 0))
    missing = like.shape.rank - value.shape.rank
    return value[(...,) + (tf.newaxis,) * missing]


def _check_no_variables(
    f: Callable[..., Any], samples: Sequence[tf.Tensor], error: Exception
) -> None:
    """Raises a TypeError if f, up to where its trace fails, uses variables."""
    with (
        tf.GradientTape() as tape,
        contextlib.suppress(*_NOT_TRACEABLE),
    ):
        f(*samples)
    names = [variable.name for variable in tape.watched_variables()]
    if names:
        raise TypeError(
            "`f` uses variables and cannot be traced by TensorFlow, so that "
            "they would get no gradient. Received: f that uses "
            f"{', '.join(names[:3])} and raises {_first_line(error)} If it "
            "branches in Python on a tensor, use `tf.cond`, or pass "
            "`tf.function(f)`."
        ) from error


def _first_line(error: Exception) -> str:
    line = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {line.rstrip('.')}."


def _call_python(
    f: Callable[..., Any],
    samples: Sequence[tf.Tensor],
    draw: Draw,
    error: Exception,
) -> tf.Tensor:
    logging.warning(
        "f cannot be traced by TensorFlow; it is called from Python at every "
        "step. No tape sees into it, and XLA cannot compile it. %s",
        _first_line(error),
    )

    def call(*samples: tf.Tensor) -> tf.Tensor:
        value = tf.convert_to_tensor(f(*samples))
        _check_value(value, samples[0].shape, draw)
        return tf.cast(value, draw.sample.dtype)

    dtype = draw.sample.dtype
    return tf.stop_gradient(tf.py_function(call, list(samples), dtype))


def _check_value(value: tf.Tensor, shape: tf.TensorShape, draw: Draw) -> None:
    if not value.dtype.is_floating:
        raise ValueError(
            "`f` must return floating values. Received: "
            f"dtype={value.dtype.name}. Cast f(b) to "
            f"{draw.sample.dtype.name}."
        )
    if value.shape.rank is None:
        return
    several, weighted = draw.num_samples > 1, draw.weights is not None
    longest = shape.rank - draw.event_ndims
    shortest = int(several)
    if draw.weights is not None and draw.weights.shape.rank is not None:
        # They are of examples, as `event_ndims` of the estimator says.
        longest = shortest = draw.weights.shape.rank
    if not (
        shortest <= value.shape.rank <= longest
        and value.shape.is_compatible_with(shape[: value.shape.rank])
    ):
        raise ValueError(
            "`f` must map b to a leading part of b's shape, here "
            f"{shape[:longest]}{_fewer(several, weighted)}. "
            f"Received: f(b).shape={value.shape}, b.shape={shape}."
        )


def _fewer(several: bool, weighted: bool) -> str:
    """Says which other shapes f may return."""
    if weighted:
        return " and no other, or the estimator needs another `event_ndims`"
    return " or fewer axes of it" + (
        ", but with that of the samples" if several else ""
    )
