"""Which numbers of a model ceased to be finite, and in which step."""

from collections.abc import Callable, Iterator
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax.models import _objective
from tf_relax.models import _steps


def changing(model: Any) -> list[tuple[str, Any]]:
    """Returns the names and variables that a step of a model changes."""
    pairs = [
        *((v.path, v) for v in model.model_variables),
        *(
            (f"the control variate's {v.path}", v)
            for v in model.estimator_variables
        ),
        *((v.path, v) for v in model.non_trainable_weights),
        *((v.path, v) for v in model.optimizer.variables),
        *(
            (f"the control variate's {v.path}", v)
            for v in model.control_variate_optimizer.variables
        ),
    ]
    return [(name, v) for name, v in pairs if "float" in v.dtype]


class Tracer:
    """Takes steps of a compiled model one by one, and looks at each.

    XLA draws the same numbers for them as for K steps in one program; only
    their rounding may be another.

    Args:
      model: an `EstimatorTrainer`, of one device.
    """

    def __init__(self, model: Any) -> None:
        """See the class."""
        self._model = model
        self._names: list[str] = []
        self._look, self._look_between = (
            tf.function(
                functools.partial(self._finite, step),
                jit_compile=model.jit_compile,
                autograph=False,
            )
            for step in (model._step, model._model_step)
        )

    def first_not_finite(self, images: np.ndarray) -> tuple[int, str] | None:
        """Takes the steps of a call, up to the first that is not finite.

        Args:
          images: of the call, `[K * B, ...]`.

        Returns:
          The number of that step, from 1, and the name of the first tensor
          that is not finite in it; None if there is none.
        """
        every = self._model.control_variate_every
        parts, count = _steps.cut(
            tf.constant(images), self._model.steps_per_call, every
        )
        for index in range(int(count)):
            look = self._look_between if index % every else self._look
            finite = look(parts[index % len(parts)]).numpy()
            if not finite.all():
                return self._model.step, self._names[int(finite.argmin())]
        return None

    def _finite(
        self, step: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor
    ) -> tf.Tensor:
        """Takes a step; returns of each tensor whether it is finite."""
        named = dict(self._tensors(images))
        step(images)
        named |= changing(self._model)
        self._names = list(named)
        return tf.stack(
            [
                tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(x)))
                for x in named.values()
            ]
        )

    def _tensors(self, images: tf.Tensor) -> Iterator[tuple[str, tf.Tensor]]:
        """Yields what a step computes, before it changes anything."""
        model = self._model
        posterior = model.posterior(images)
        first = getattr(posterior, "first", posterior)
        yield "the logits of q(b | x)", first.logits
        # The control variate first: the encoder's gradient is made with it.
        variables = model.estimator_variables + model.model_variables
        found = model._gradients(
            images,
            variables,
            _objective.training_seed,
            model.optimizer,
        )
        yield "the ELBO", found.elbo
        names = {id(variable): name for name, variable in changing(model)}
        for variable, gradient in zip(variables, found.gradients, strict=True):
            if gradient is not None:
                name = f"the gradient of {names[id(variable)]}"
                yield name, tf.convert_to_tensor(gradient)
