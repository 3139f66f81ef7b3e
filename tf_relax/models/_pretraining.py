"""Steps of what the estimators learn, at a model that stands still."""

from collections.abc import Callable
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax.models import _objective
from tf_relax.models import _optimizers
from tf_relax.models import _steps
from tf_relax.models._checks import check_range
from tf_relax.models._compiled import CompiledModel


class Pretraining(CompiledModel):
    """`fit_control_variates` of an `EstimatorTrainer`."""

    seed: int
    estimator_layers: list[Any]
    _gradients: Callable[..., _objective.LossGradients]

    def fit_control_variates(
        self, images: np.ndarray, batch_size: int, steps: int
    ) -> None:
        """Trains what the estimators learn, at the model as it is.

        The model and its optimizer stay as they are, and so does what `fit`
        draws after it. Each call goes on where the last one was.

        Args:
          images: to draw batches from, in [0, 1].
          batch_size: B.
          steps: of the control variates' optimizer.
        """
        check_range("images", images)
        if not self.estimator_layers:
            return
        if not self.compiled:
            raise ValueError(
                "`fit_control_variates` needs the optimizer that `compile` "
                "sets. Received: a model that was not compiled."
            )
        done = int(self.control_variate_optimizer.iterations.numpy())
        batches = _steps.pretraining_batches(
            images, batch_size, steps, seed=self.seed, done=done
        )
        if self.control_variate_function is None:
            self.control_variate_function = tf.function(
                functools.partial(self._run_steps, self._control_variate_step),
                jit_compile=self.jit_compile and self.strategy is None,
                autograph=False,
            )
        for batch in batches:
            self.control_variate_function(
                tf.constant(batch), len(batch) // batch_size
            )

    def _control_variate_step(self, images: tf.Tensor) -> tf.Tensor:
        """Updates the estimators' variables once. As `_step`."""
        found = self._gradients(
            images,
            self.estimator_variables,
            _objective.pretraining_seed,
            self.control_variate_optimizer,
        )
        _optimizers.apply_update(
            _optimizers.Update(
                self.control_variate_optimizer,
                found.gradients,
                self.estimator_variables,
            )
        )
        return found.elbo
