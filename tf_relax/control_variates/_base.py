"""The protocol between estimators and control variates."""

from collections.abc import Callable
import functools
import inspect
from typing import Any

import keras
import tensorflow as tf

from tf_relax.relaxations import Draw
from tf_relax.relaxations import RelaxedDraw

_NO_BUILD = keras.layers.Layer.build


class ControlVariate(keras.layers.Layer):
    """A Keras layer `c(z)` that may use f, its relaxation and a context.

    A subclass writes `call(z, f, squash, context)`:

      * `z`: the relaxed draw, shape of `b`, in nats;
      * `f`: the function whose expectation is taken;
      * `squash`: the distribution's, sigmoid or softmax;
      * `context`: what the caller handed over, such as the images, or None;

    and returns the shape of `f(b)`. Its weights are made in `__init__`, or,
    where they depend on shapes and for layers inside, in `build(z_shape,
    context_shape)`; `context_shape` is None without a context. Layers add:
    `RelaxedFunction() + Network()`. They compute in the dtype of `z`, whatever
    the global policy.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Takes the arguments of `keras.layers.Layer`."""
        kwargs.setdefault("dtype", keras.config.floatx())
        super().__init__(autocast=False, **kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Raises a TypeError if `call` or `build` is given what it lacks."""
        super().__init_subclass__(**kwargs)
        signature = inspect.signature(cls.call)
        try:
            signature.bind(None, None, f=None, squash=None, context=None)
        except TypeError:
            raise TypeError(
                "`call` of a ControlVariate must be call(self, z, f=None, "
                "squash=None, context=None). A function of z alone needs no "
                f"such layer. Received: {cls.__name__}.call{signature}."
            ) from None
        signature = inspect.signature(cls.build)
        try:
            signature.bind(None, None, None)
        except TypeError:
            raise TypeError(
                "`build` of a ControlVariate must be build(self, z_shape, "
                f"context_shape=None). Received: {cls.__name__}.build"
                f"{signature}."
            ) from None

    def build(self, z_shape: Any, context_shape: Any = None) -> None:
        """Marks the layer as built; one with layers inside writes its own.

        Args:
          z_shape: of z, None where a size is not known.
          context_shape: of the context; None if there is none.

        Raises:
          TypeError: if a layer inside would make its weights when it is
            called, too late to be trained.
        """
        del z_shape, context_shape
        for inside in self._flatten_layers(include_self=False):
            if not inside.built and type(inside).build is not _NO_BUILD:
                name = type(self).__name__
                raise TypeError(
                    f"{name} must build the layers inside it, in "
                    "build(self, z_shape, context_shape=None), for instance by "
                    "self.dense.build(z_shape). Received: no such method, and "
                    f"the layer {inside.name} without weights."
                )
        self.built = True

    def __add__(self, other: "ControlVariate") -> "ControlVariate":
        """Returns the control variate `self(z) + other(z)`."""
        from tf_relax.control_variates import _combine

        return _combine.Sum([self, other])


def bind(
    control_variate: Any,
    distribution: Any,
    draw: Draw,
    f: Callable[[tf.Tensor], Any],
    context: Any,
) -> Any:
    """Returns the control variate as a function of z alone, built.

    A plain callable (or any Keras layer that is not a `ControlVariate`) is
    called with z only. Where z may be infinite, of which layers would make NaN,
    it is held within `RelaxedDraw.certain`.

    Args:
      control_variate: any callable of z, or a layer.
      distribution: where the draw came from.
      draw: z is `draw.relaxed`, or the sample of a continuous one.
      f: the function whose expectation is taken.
      context: for a `ControlVariate`; its shape builds it.

    Raises:
      TypeError: if the control variate is a class.
    """
    if isinstance(control_variate, type):
        raise TypeError(
            "`control_variate` must be a function of z or a layer, such as "
            "tf_relax.control_variates.Network(), not its class. Received: "
            f"control_variate={control_variate!r}."
        )
    z = draw.relaxed if isinstance(draw, RelaxedDraw) else draw.sample
    if isinstance(control_variate, ControlVariate):
        if not control_variate.built:
            shape = None
            if isinstance(context, list | tuple):
                context = tf.convert_to_tensor(context)
            if context is not None:
                shape = tuple(context.shape)
            control_variate.build(tuple(z.shape), shape)
        layer: Any = control_variate  # Keras has no types.
        c = functools.partial(
            layer,
            f=f,
            squash=distribution.squash,
            context=context,
        )
    else:
        c = control_variate
        if isinstance(c, keras.layers.Layer) and not c.built:
            c.build(tuple(z.shape))  # Variables must exist to be watched.
    certain = draw.certain if isinstance(draw, RelaxedDraw) else None
    if certain is None or not callable(c):
        return c
    return lambda z: c(tf.clip_by_value(z, -certain, certain))
