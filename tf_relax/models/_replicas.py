"""Several runs of one model in one program, side by side."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax.models import _objective
from tf_relax.models import _optimizers
from tf_relax.models import _steps
from tf_relax.models._checks import check_alike
from tf_relax.models._checks import check_range
from tf_relax.models._checks import check_rhythm
from tf_relax.models._checks import check_sources
from tf_relax.models._replicated_optimizer import replicated
from tf_relax.models._stack import Stack
from tf_relax.models._stacked_model import StackedModel


class Replicas:
    """R models that learn side by side, each as it would alone.

    Weights and optimizer state have a leading axis of replicas. A step is
    `tf.vectorized_map` over the gradients of one model, a pure function of
    (weights, images, seed), then one step of the optimizer, which is
    elementwise. The replicas may differ in their weights, and so in the
    temperatures that they start from; in seed; in learning rates; and in
    weight decay.

    Args:
      models: of the same architecture, estimator and images. They need no
        `compile`; their weights are copied.
      optimizers: of each replica, not built: Keras' Adam or SGD, alike but for
        their learning rates or schedules.
      control_variate_optimizers: likewise, of what the estimators learn.
        Default: Adam with each replica's learning rate.
      weight_decays: what each replica's weight decay is in that of the
        first model's control variates. Default: 1 for all.
      steps_per_call: K optimizer steps in one program.
      control_variate_every: n, a divisor of K: what the estimators learn is
        trained in the first of every n steps.
      kl_warmup_steps: of each replica; see `EstimatorTrainer.compile`.
        Default: 0 for all.
      images: `[N, D]`, in [0, 1], that stay on the device, for `train` to be
        told which it takes. Default: `train` is given images.
      jit_compile: whether XLA compiles the programs.

    Raises:
      ValueError: if the models or the optimizers are not alike, their numbers
        differ, or `control_variate_every` does not divide K.

    Examples:
      >>> import keras
      >>> from tf_relax.models import DiscreteVAE
      >>> images = (np.arange(64 * 784) % 7 == 0).reshape(64, 784)
      >>> models = [DiscreteVAE("linear1", 8, seed=seed) for seed in (0, 1)]
      >>> adams = [keras.optimizers.Adam(rate) for rate in (1e-3, 1e-2)]
      >>> replicas = Replicas(models, adams, jit_compile=False)
      >>> batch = np.stack([images[:32], images[32:]], 1)  # Of each seed.
      >>> replicas.train(batch).shape
      TensorShape([2])
    """

    def __init__(
        self,
        models: Sequence[Any],
        optimizers: Sequence[Any],
        control_variate_optimizers: Sequence[Any] | None = None,
        *,
        weight_decays: Sequence[float] | None = None,
        steps_per_call: int = 1,
        control_variate_every: int = 1,
        kl_warmup_steps: Sequence[int] | None = None,
        images: np.ndarray | None = None,
        jit_compile: bool = True,
    ) -> None:
        """See the class."""
        if weight_decays is None:
            weight_decays = [1.0] * len(models)
        if kl_warmup_steps is None:
            kl_warmup_steps = [0] * len(models)
        check_alike(
            models,
            optimizers=optimizers,
            weight_decays=weight_decays,
            kl_warmup_steps=kl_warmup_steps,
        )
        self.optimizer = replicated(optimizers)
        if control_variate_optimizers is None:
            control_variate_optimizers = [
                _optimizers.of_control_variates(None, o) for o in optimizers
            ]
        check_alike(
            models, control_variate_optimizers=control_variate_optimizers
        )
        self.control_variate_optimizer = replicated(control_variate_optimizers)
        check_rhythm(steps_per_call, control_variate_every)
        self.model = models[0]
        self.steps_per_call = steps_per_call
        self.control_variate_every = control_variate_every
        self.kl_warmup_steps = list(kl_warmup_steps)
        if images is not None:
            check_range("images", images)
        self._images = None if images is None else tf.constant(images)
        self._stacked = StackedModel(models, weight_decays, jit_compile)
        self.optimizer.build(self._stacked.trained.stacked)
        self.control_variate_optimizer.build(self._stacked.learned.stacked)
        self._train, self._pretrain, self._measure = (
            tf.function(f, jit_compile=jit_compile, autograph=False)
            for f in (self._train_steps, self._pretrain_steps, self._measured)
        )

    def __len__(self) -> int:
        """Returns the number of replicas, R."""
        return len(self._stacked.seeds)

    @property
    def sources(self) -> list[int]:
        """Returns the seeds, each once: replicas of one see the same images."""
        return self._stacked.sources

    @property
    def step(self) -> int:
        """Returns how many optimizer steps are done."""
        return int(self.optimizer.iterations)

    @property
    def variables(self) -> list[Any]:
        """Returns all that changes: weights and the optimizers' state."""
        return [
            *self._stacked.all.stacked,
            *self.optimizer.variables,
            *self.control_variate_optimizer.variables,
        ]

    def train(self, images: np.ndarray) -> tf.Tensor:
        """Runs `steps_per_call` optimizer steps of every replica.

        Args:
          images: `[K * B, S, D]`, in [0, 1]: of each of `sources`, the seeds
            without their repetitions. If they stay on the device, their rows
            there, `[K * B, S]`, integers.

        Returns:
          The mean ELBO of each replica, in nats, `[R]`.

        Raises:
          ValueError: if the axis of seeds is missing or of another size.
        """
        check_sources(images, self.sources, by_row=self._images is not None)
        return self._train(tf.convert_to_tensor(images))

    def fit_control_variates(
        self, images: np.ndarray, batch_size: int, steps: int
    ) -> None:
        """See `EstimatorTrainer.fit_control_variates`; of every replica."""
        check_range("images", images)
        if not self.model.estimator_layers:
            return
        done = int(self.control_variate_optimizer.iterations)
        of_sources = [
            _steps.pretraining_batches(
                images, batch_size, steps, seed=seed, done=done
            )
            for seed in self.sources
        ]
        for batches in zip(*of_sources, strict=True):
            batch = np.stack(batches, 1)
            self._pretrain(tf.constant(batch), len(batch) // batch_size)

    def measure(
        self, images: np.ndarray, *, batch_size: int, bound_samples: int = 0
    ) -> dict[str, np.ndarray]:
        """Returns what `evaluate` finds for each replica, `[R]` each.

        Args:
          images: `[N, D]`, in [0, 1].
          batch_size: images at a time; the draws depend on it.
          bound_samples: of the `bound`; 0 leaves it out.
        """
        check_range("images", images)
        totals: dict[str, np.ndarray] = {}
        for start in range(0, len(images), batch_size):
            batch = tf.constant(images[start : start + batch_size])
            for replica in range(len(self)):
                found = self._measure(
                    tf.constant(replica),
                    batch,
                    tf.constant(start),
                    bound_samples,
                )
                for name, total in found.items():
                    totals.setdefault(name, np.zeros(len(self)))
                    totals[name][replica] += float(total)
        return {name: total / len(images) for name, total in totals.items()}

    def not_finite(self) -> dict[int, str]:
        """Returns, of each replica with NaN or infinity, a variable's name."""
        found: dict[int, str] = {}
        weights = self._stacked.all
        names = [v.path for v in weights.variables]
        own = zip(names, weights.stacked, strict=True)
        slots = [*self.optimizer.variables]
        slots += self.control_variate_optimizer.variables
        for name, variable in [*own, *((v.path, v) for v in slots)]:
            if tuple(variable.shape[:1]) == (len(self),):
                finite = tf.math.is_finite(tf.convert_to_tensor(variable))
                axes = list(range(1, len(variable.shape)))
                bad = np.flatnonzero(~tf.reduce_all(finite, axes).numpy())
                found = dict.fromkeys(bad.tolist(), name) | found
        return found

    def copy_to(self, model: Any, replica: int) -> None:
        """Gives a model of the same kind the weights of a replica."""
        self._stacked.copy_to(model, replica)

    def _train_steps(self, batch: tf.Tensor) -> tf.Tensor:
        return _steps.run_steps(
            lambda part: self._step(self._images_of(part)),
            batch,
            self.steps_per_call,
            every=self.control_variate_every,
            between=lambda part: self._model_step(self._images_of(part)),
            replicas=(len(self),),
        )

    def _images_of(self, part: tf.Tensor) -> tf.Tensor:
        """Returns a step's images, which may be on the device, by row."""
        return part if self._images is None else tf.gather(self._images, part)

    def _pretrain_steps(self, images: tf.Tensor, num_steps: int) -> tf.Tensor:
        return _steps.run_steps(
            self._pretrain_step, images, num_steps, replicas=(len(self),)
        )

    def _step(self, images: tf.Tensor) -> tf.Tensor:
        """Updates every replica once; returns the mean ELBOs, `[R]`."""
        trained, learned = self._stacked.trained, self._stacked.learned
        gradients, elbo = self._training_gradients(images, trained + learned)
        of_model = len(trained.stacked)
        self.optimizer.apply(gradients[:of_model], trained.stacked)
        self._apply_to_estimators(gradients[of_model:])
        return elbo

    def _model_step(self, images: tf.Tensor) -> tf.Tensor:
        """As `_step`, of the models alone: the estimators learn nothing."""
        trained = self._stacked.trained
        gradients, elbo = self._training_gradients(images, trained)
        self.optimizer.apply(gradients, trained.stacked)
        return elbo

    def _pretrain_step(self, images: tf.Tensor) -> tf.Tensor:
        """Updates what the estimators learn once. As `_step`."""
        gradients, elbo = self._gradients(
            images,
            self._stacked.learned,
            _objective.pretraining_seed,
            self.control_variate_optimizer,
        )
        self._apply_to_estimators(gradients)
        return elbo

    def _training_gradients(
        self, images: tf.Tensor, wanted: Stack
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns `_gradients` of a step of `train`."""
        return self._gradients(
            images, wanted, _objective.training_seed, self.optimizer
        )

    def _gradients(
        self,
        images: tf.Tensor,
        wanted: Stack,
        seed_of: Callable[[Any, tf.Tensor], tf.Tensor],
        optimizer: Any,
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns `StackedModel.gradients`, of an optimizer's step."""
        seeds = [seed_of(s, optimizer.iterations) for s in self._stacked.seeds]
        kl_weights = _steps.kl_weight(
            self.optimizer.iterations, self.kl_warmup_steps
        )
        return self._stacked.gradients(
            images, tf.stack(seeds), kl_weights, wanted
        )

    def _apply_to_estimators(self, gradients: list[tf.Tensor]) -> None:
        if gradients:
            self.control_variate_optimizer.apply(
                gradients, self._stacked.learned.stacked
            )
        else:
            self.control_variate_optimizer.iterations.assign_add(1)

    def _measured(
        self,
        replica: tf.Tensor,
        images: tf.Tensor,
        seen: tf.Tensor,
        bound_samples: int,
    ) -> dict[str, tf.Tensor]:
        """Returns sums over the images of what one replica is measured by."""
        seed = _objective.evaluation_seed(
            tf.gather(self._stacked.seeds, replica),
            self.optimizer.iterations,
            seen,
        )
        with self._stacked.scope_of(replica):
            found = _objective.measurements(
                self.model, images, seed, bound_samples
            )
        return {name: tf.reduce_sum(x) for name, x in found.items()}
