"""Models side by side: their weights, and the gradients of all at once."""

from collections.abc import Sequence
import contextlib
from typing import Any

import keras
import tensorflow as tf

from tf_relax.models import _objective
from tf_relax.models._networks import at_least_float32
from tf_relax.models._stack import Stack
from tf_relax.relaxations._philox import formula


class StackedModel:
    """R models as one, with a leading axis of replicas in all weights.

    The first of them lends its functions; `keras.StatelessScope` puts each
    replica's weights in their place.

    Args:
      models: of the same architecture, estimator and images.
      weight_decays: of each replica, in that of the first model.
      jit_compile: whether XLA will compile what `gradients` returns.

    Attributes:
      trained: what the loss trains.
      learned: what the variance trains.
      all: these, moving averages and the like, and the mean image.
      seeds: of the replicas.
      sources: the seeds, each once: replicas of one see the same images.
    """

    def __init__(
        self,
        models: Sequence[Any],
        weight_decays: Sequence[float],
        jit_compile: bool,
    ) -> None:
        """See the class."""
        self._model = models[0]
        self._decays = tf.constant(weight_decays, at_least_float32())
        self.trained = Stack([model.model_variables for model in models])
        self.learned = Stack([model.estimator_variables for model in models])
        self._state = Stack([m.non_trainable_weights for m in models])
        self.all = self.trained + self.learned + self._state
        self.seeds = [model.seed for model in models]
        self.sources = list(dict.fromkeys(self.seeds))
        self._source = [self.sources.index(seed) for seed in self.seeds]
        # On a CPU loops over the replicas are no dearer than the formula.
        by_formula = jit_compile and tf.config.list_logical_devices("GPU")
        self._drawing = formula if by_formula else contextlib.nullcontext

    def gradients(
        self,
        images: tf.Tensor,
        seeds: tf.Tensor,
        kl_weights: Any,
        wanted: Stack,
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns every replica's gradients, `[R, ...]`, and mean ELBO, `[R]`.

        Args:
          images: `[B, S, D]`, of each of `sources`.
          seeds: of the replicas' draws, `[R, 2]`.
          kl_weights: of the replicas, `[R]`; None for 1.
          wanted: what to differentiate by.
        """
        of_sources = tf.transpose(images, [1, 0, 2])
        variables = wanted.variables

        def one(given: Any) -> Any:
            values, own_images, seed, decay, *kl_weight = given
            with self._scope(values) as scope, self._drawing():
                found = _objective.loss_gradients(
                    self._model,
                    own_images,
                    variables,
                    seed=seed,
                    kl_weight=kl_weight[0] if kl_weight else None,
                    penalty_weight=decay,
                )
                gradients = [
                    tf.zeros_like(v.value) if g is None else g
                    for v, g in zip(variables, found.gradients, strict=True)
                ]
            state = map(scope.get_current_value, self._state.variables)
            return gradients, list(state), found.elbo

        given = [
            [tf.convert_to_tensor(v) for v in self.all.stacked],
            tf.gather(of_sources, self._source),
            seeds,
            self._decays,
        ]
        if kl_weights is not None:
            given.append(kl_weights)
        gradients, state, elbo = tf.vectorized_map(one, given, warn=False)
        for variable, value in zip(self._state.stacked, state, strict=True):
            variable.assign(value)
        return gradients, elbo

    def scope_of(self, replica: tf.Tensor) -> keras.StatelessScope:
        """Returns a scope in which the first model is that replica."""
        # Not v[replica], for which XLA compiles each replica anew.
        return self._scope([tf.gather(v, replica) for v in self.all.stacked])

    def copy_to(self, model: Any, replica: int) -> None:
        """Gives a model of the same kind the weights of a replica."""
        variables = [
            *model.model_variables,
            *model.estimator_variables,
            *model.non_trainable_weights,
        ]
        for own, stacked in zip(variables, self.all.stacked, strict=True):
            own.assign(stacked[replica])

    def _scope(self, values: list[tf.Tensor]) -> keras.StatelessScope:
        pairs = zip(self.all.variables, values, strict=True)
        return keras.StatelessScope(state_mapping=list(pairs))
