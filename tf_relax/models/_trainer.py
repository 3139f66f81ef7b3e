"""`fit` and `evaluate` for models whose loss is an expectation."""

import abc
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_relax import estimators
from tf_relax.models import _objective
from tf_relax.models import _optimizers
from tf_relax.models import _saved
from tf_relax.models import _steps
from tf_relax.models._checks import check_compiled
from tf_relax.models._checks import check_images
from tf_relax.models._checks import check_order
from tf_relax.models._pretraining import Pretraining


class EstimatorTrainer(Pretraining, abc.ABC):
    """A Keras model with an estimator a layer and two optimizers.

    A subclass sets `estimators`, `num_samples`, `seed` and `event_ndims`, how
    many axes the latents of an image have, and says what the distribution and
    the function are. Everything is built at construction.

    In the scope of a `tf.distribute.MirroredStrategy` or
    `MultiWorkerMirroredStrategy`, `fit` and `evaluate` cut each step's batch
    in parts, one a replica; updates and metrics are those of one device.
    """

    estimators: Sequence[estimators.Estimator]
    num_samples: int
    seed: int
    event_ndims: int

    def __init__(self, **kwargs: Any) -> None:
        """Takes the arguments of `keras.Model`."""
        super().__init__(**kwargs)
        self.elbo_tracker = keras.metrics.Mean("elbo")
        self.variance_tracker = keras.metrics.Mean("gradient_variance")
        self.relaxed_tracker = keras.metrics.Mean("relaxed_elbo")
        self.bound_tracker = keras.metrics.Mean("bound")

    @abc.abstractmethod
    def posterior(self, images: tf.Tensor) -> Any:
        """Returns q(b | x), a distribution or a `Chain`."""

    @abc.abstractmethod
    def negative_elbo(
        self, posterior: Any, images: tf.Tensor, kl_weight: Any = 1.0
    ) -> Any:
        """Returns the function of b whose expectation is minimised.

        Args:
          posterior: what `posterior` returned.
          images: `[B, ...]`.
          kl_weight: of all terms but the likelihood of the images.
        """

    @abc.abstractmethod
    def context(self, images: tf.Tensor) -> Any:
        """Returns what control variates see of the images.

        It is a function of the samples of the layers below, to `[..., C]`.
        """

    @abc.abstractmethod
    def bound(
        self, images: tf.Tensor, num_samples: int, seed: Any
    ) -> tf.Tensor:
        """Returns the importance-weighted bound of each image, `[B]`."""

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """See `keras.Model.fit`. Images must be in [0, 1].

        An array is looked at as a whole, a `tf.data.Dataset` by its first
        batch; `train_on_batch` and the like do not look.
        """
        check_compiled(self)
        check_images(x, self.image_shape)
        for name in ("sample_weight", "class_weight"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"`{name}` is not supported: every image counts alike. "
                    "Received: weights."
                )
        check_order(self.num_processes, kwargs.get("shuffle", True))
        with _optimizers.finalized_as(self.optimizer, self._finalize):
            return super().fit(x, *args, **kwargs)

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """See `keras.Model.evaluate`. Images must be in [0, 1]."""
        check_compiled(self)
        check_images(x, self.image_shape)
        return super().evaluate(x, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """See `keras.Model.predict`. Images must be in [0, 1]."""
        check_images(x, self.image_shape)
        return super().predict(x, *args, **kwargs)

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """See `keras.Model.save`. The file must be a `.keras` one."""
        _saved.check_ending(filepath)
        super().save(filepath, *args, **kwargs)

    def export(self, *args: Any, **kwargs: Any) -> Any:
        """Raises an error that names what can be exported."""
        raise NotImplementedError(
            "The whole model is no function of one input. Export its networks: "
            "`encoders[0].export(folder)`, `decoders[0].export(folder)`."
        )

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Runs `steps_per_call` optimizer steps. See `keras.Model`."""
        images = keras.utils.unpack_x_y_sample_weight(data)[0]
        elbo = self._run_steps(
            self._step,
            images,
            self.steps_per_call,
            every=self.control_variate_every,
            between=self._model_step,
        )
        if self.strategy is None:
            self.elbo_tracker.update_state(elbo, tf.shape(images)[0])
        return _with_loss({"elbo": self.elbo_tracker.result()})

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluates one batch. See `keras.Model`."""
        images = keras.utils.unpack_x_y_sample_weight(data)[0]
        seen = tf.convert_to_tensor(self.elbo_tracker.count)
        if self.strategy is None:
            return _with_loss(self._measure(images, seen))
        names = self.strategy.run(self._measure, args=(images, seen))
        return _with_loss(
            {t.name: t.result() for t in self.metrics if t.name in names}
        )

    @property
    def estimator_variables(self) -> list[Any]:
        """Returns the variables that the control variate optimizer trains."""
        return [v for e in self.estimators for v in e.trainable_variables]

    def _step(self, images: tf.Tensor) -> tf.Tensor:
        """Updates all variables once; returns the mean ELBO. Scalar."""
        of_model = self.model_variables
        of_estimators = self.estimator_variables
        found = self._training_gradients(images, of_model + of_estimators)
        of_first = found.gradients[: len(of_model)]
        of_second = found.gradients[len(of_model) :]
        _optimizers.apply_updates(
            _optimizers.Update(self.optimizer, of_first, of_model),
            _optimizers.Update(
                self.control_variate_optimizer, of_second, of_estimators
            ),
        )
        return found.elbo

    def _model_step(self, images: tf.Tensor) -> tf.Tensor:
        """As `_step`, of the model alone: the estimators learn nothing."""
        variables = self.model_variables
        found = self._training_gradients(images, variables)
        _optimizers.apply_update(
            _optimizers.Update(self.optimizer, found.gradients, variables)
        )
        return found.elbo

    def _training_gradients(
        self, images: tf.Tensor, variables: list[Any]
    ) -> _objective.LossGradients:
        """Returns `_gradients` of a step of `fit`."""
        return self._gradients(
            images, variables, _objective.training_seed, self.optimizer
        )

    def _gradients(
        self,
        images: tf.Tensor,
        variables: list[Any],
        seed_of: Callable[[Any, tf.Tensor], tf.Tensor],
        optimizer: Any,
    ) -> _objective.LossGradients:
        """Returns gradients, scaled for an optimizer, and the mean ELBO."""
        return self._of_rows(
            lambda images, share, step, kl_weight, scale: (
                _objective.loss_gradients(
                    self,
                    images,
                    variables,
                    seed=seed_of(self.seed, step),
                    kl_weight=kl_weight,
                    scale=share * tf.cast(scale, share.dtype),
                )
            ),
            images,
            tf.convert_to_tensor(optimizer.iterations),
            _steps.kl_weight(self.optimizer.iterations, self.kl_warmup_steps),
            optimizer.scale_loss(tf.ones([])),
        )

    def _measure(self, images: tf.Tensor, seen: Any) -> dict[str, tf.Tensor]:
        """Evaluates images into the trackers; returns their results."""
        found = self._of_rows(
            lambda images, share, step, seen: _objective.measurements(
                self,
                images,
                _objective.evaluation_seed(self.seed, step, seen),
                self.bound_samples,
            ),
            images,
            tf.convert_to_tensor(self.optimizer.iterations),
            seen,
        )
        trackers = {tracker.name: tracker for tracker in self.metrics}
        for name, values in found.items():
            trackers[name].update_state(values)
        return {name: trackers[name].result() for name in found}

    def examples(
        self, images: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns what the estimators make of each image.

        Args:
          images: `[B, ...]`, in [0, 1].
          seed: stateless seed, two integers.

        Returns:
          -ELBO of hard samples, `[B]`; that of relaxed ones, if an estimator
          has a relaxed objective, else the same tensor; and the gradient by
          all layers' logits, `[B, D]`, of mean dE[f(b)] if unbiased.
        """
        q = self.posterior(images)
        examples = estimators.layer_examples(
            self.negative_elbo(q, images),
            q,
            list(self.estimators),
            seed=seed,
            num_samples=self.num_samples,
            context=self.context(images),
        )
        value = relaxed = examples.value
        if examples.trained is not examples.hard:
            relaxed = examples.trained_value
        return value, relaxed, examples.gradients(tf.shape(images)[0])


def _with_loss(logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns logs with what Keras' callbacks look for: -ELBO, as `loss`."""
    return {"loss": -logs["elbo"], **logs}
