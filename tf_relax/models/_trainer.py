"""`fit` and `evaluate` for models whose loss is an expectation."""

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_relax import estimators
from tf_relax.models import _steps

# Salts that keep the random streams of training and evaluation apart.
_EVALUATE, _SECOND, _BOUND = 1, 2, 3


class EstimatorTrainer(keras.Model, abc.ABC):
    """A Keras model with an estimator and two optimizers.

    A subclass sets `estimator`, `num_samples` and `seed`, and says what the
    distribution and the function are. Everything is built at construction.
    """

    estimator: estimators.Estimator
    num_samples: int
    seed: int

    def __init__(self, **kwargs: Any) -> None:
        """Takes the arguments of `keras.Model`."""
        super().__init__(**kwargs)
        self.elbo_tracker = keras.metrics.Mean("elbo")
        self.variance_tracker = keras.metrics.Mean("gradient_variance")
        self.bound_tracker = keras.metrics.Mean("bound")
        self.steps_per_call = 1
        self.bound_samples = 0

    @property
    @abc.abstractmethod
    def model_variables(self) -> list[Any]:
        """Returns the variables that the loss, not its variance, trains."""

    @abc.abstractmethod
    def posterior(self, images: tf.Tensor) -> Any:
        """Returns q(b | x)."""

    @abc.abstractmethod
    def negative_elbo(self, posterior: Any, images: tf.Tensor) -> Any:
        """Returns the function of b whose expectation is minimised."""

    @abc.abstractmethod
    def context(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what the control variate sees of the images, `[B, C]`."""

    @abc.abstractmethod
    def bound(
        self, images: tf.Tensor, num_samples: int, seed: Any
    ) -> tf.Tensor:
        """Returns the importance-weighted bound of each image, `[B]`."""

    def compile(
        self,
        optimizer: Any = "adam",
        control_variate_optimizer: Any = None,
        *,
        steps_per_call: int = 1,
        bound_samples: int = 0,
        jit_compile: Any = True,
        **kwargs: Any,
    ) -> None:
        """Sets up training.

        Args:
          optimizer: of encoder, decoder and prior; anything Keras takes.
          control_variate_optimizer: of the control variate, by the variance
            of the gradient. Default: Adam with the same learning rate.
          steps_per_call: K optimizer steps in one XLA program. `fit` is then
            given batches of K * B examples, which are cut into K steps of B.
            A last batch of N examples is cut into K steps of `N // K`, or
            into N steps of 1; leave it out, or choose sizes that divide.
          bound_samples: of the `bound` at evaluation; 0 leaves it out.
          jit_compile: see `keras.Model.compile`; here on by default.
          **kwargs: see `keras.Model.compile`, such as `run_eagerly`.

        Raises:
          ValueError: if `steps_per_call` < 1 or `bound_samples` < 0, if a
            loss or metrics are given, or one optimizer for both roles, or
            `steps_per_call` > 1 under a strategy of several replicas.
        """
        for name in ("loss", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"`{name}` has no place here: the loss is -ELBO, and the "
                    f"metrics are its own. Received: {name}={kwargs[name]!r}."
                )
        if control_variate_optimizer is optimizer and not isinstance(
            optimizer, str
        ):
            raise ValueError(
                "`control_variate_optimizer` must be another object than "
                "`optimizer`: each keeps the state of its own variables. "
                f"Received: {optimizer} for both."
            )
        if steps_per_call < 1 or bound_samples < 0:
            raise ValueError(
                "`steps_per_call` must be at least 1 and `bound_samples` at "
                f"least 0. Received: steps_per_call={steps_per_call}, "
                f"bound_samples={bound_samples}."
            )
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas > 1 and steps_per_call > 1:
            raise ValueError(
                "Several replicas take one step a call: TensorFlow cannot "
                "gather their gradients inside a loop. Received: "
                f"steps_per_call={steps_per_call}, {replicas} replicas."
            )
        jit_compile = jit_compile and not kwargs.get("run_eagerly")
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        if control_variate_optimizer is None:
            control_variate_optimizer = keras.optimizers.Adam(
                float(tf.convert_to_tensor(self.optimizer.learning_rate))
            )
        self.control_variate_optimizer = keras.optimizers.get(
            control_variate_optimizer
        )
        self.steps_per_call = steps_per_call
        self.bound_samples = bound_samples
        # Unbuilt optimizers would start at zero after loading.
        self.optimizer.build(self.model_variables)
        self.control_variate_optimizer.build(self.estimator.trainable_variables)

    def get_compile_config(self) -> dict[str, Any]:
        """See `keras.Model.get_compile_config`."""
        serialize = keras.saving.serialize_keras_object
        return {
            "optimizer": serialize(self.optimizer),
            "control_variate_optimizer": serialize(
                self.control_variate_optimizer
            ),
            "steps_per_call": self.steps_per_call,
            "bound_samples": self.bound_samples,
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """See `keras.Model.compile_from_config`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """See `keras.Model.fit`. An array must be in [0, 1]."""
        check_range("images", x)
        for name in ("sample_weight", "class_weight"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"`{name}` is not supported: every image counts alike. "
                    "Received: weights."
                )
        return super().fit(x, *args, **kwargs)

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """See `keras.Model.evaluate`. An array must be in [0, 1]."""
        check_range("images", x)
        return super().evaluate(x, *args, **kwargs)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Runs `steps_per_call` optimizer steps. See `keras.Model`."""
        images = keras.utils.unpack_x_y_sample_weight(data)[0]
        elbo = _steps.run_steps(self._step, images, self.steps_per_call)
        self.elbo_tracker.update_state(elbo, tf.shape(images)[0])
        return {"elbo": self.elbo_tracker.result()}

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluates one batch. See `keras.Model`."""
        images = keras.utils.unpack_x_y_sample_weight(data)[0]
        seed = self._evaluation_seed()
        elbo, gradient = self._examples(images, seed)
        _, again = self._examples(images, _fold(seed, _SECOND))
        self.elbo_tracker.update_state(elbo)
        # Half the squared difference of two draws has the variance as mean.
        half = tf.reduce_sum(0.5 * tf.square(gradient - again), -1)
        self.variance_tracker.update_state(half)
        trackers = [self.elbo_tracker, self.variance_tracker]
        if self.bound_samples:
            own = _fold(seed, _BOUND)
            bound = self.bound(images, self.bound_samples, own)
            self.bound_tracker.update_state(bound)
            trackers.append(self.bound_tracker)
        return {tracker.name: tracker.result() for tracker in trackers}

    def _step(self, images: tf.Tensor) -> tf.Tensor:
        """Updates all variables once; returns the mean ELBO. Scalar."""
        of_model = self.model_variables
        of_estimator = self.estimator.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self._negative_elbos(images))
            # Optimizers add up what the replicas found.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            scaled = self.optimizer.scale_loss(loss / replicas)
        gradients = tape.gradient(scaled, of_model + of_estimator)
        self.optimizer.apply(gradients[: len(of_model)], of_model)
        # These are derivatives of a variance; the loss's scale goes again.
        unscale = 1.0 / self.optimizer.scale_loss(tf.ones([]))
        variance_gradients = [unscale * g for g in gradients[len(of_model) :]]
        if of_estimator:
            self.control_variate_optimizer.apply(
                variance_gradients, of_estimator
            )
        return -loss

    def _negative_elbos(self, images: tf.Tensor) -> tf.Tensor:
        """Returns -ELBO of each image, for any tape. `[B]`."""
        q = self.posterior(images)
        return estimators.expectation(
            self.negative_elbo(q, images),
            q,
            estimator=self.estimator,
            seed=self._seed(),
            num_samples=self.num_samples,
            context=self.context(images),
        )

    def _examples(
        self, images: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns ELBO `[B]` and gradient by the logits `[B, D]` of each."""
        q = self.posterior(images)
        f = self.negative_elbo(q, images)
        draw = self.estimator.draw(q, seed=seed, num_samples=self.num_samples)
        value = f(draw.sample)
        c = self.estimator.bind(q, draw, f, self.context(images))
        estimate = self.estimator.examples(q, draw, value, c)
        mean = tf.reduce_mean(value, 0) if draw.num_samples > 1 else value
        return -mean, estimate.gradients["logits"]

    def _seed(self) -> tf.Tensor:
        """Returns the seed of this step: a resumed run goes on bitwise."""
        iterations = tf.cast(self.optimizer.iterations, tf.int32)
        return tf.stack([self.seed, iterations])

    def _evaluation_seed(self) -> tf.Tensor:
        """Returns a seed that depends on how many images came before."""
        seen = tf.cast(self.elbo_tracker.count, tf.int32)
        return _fold(_fold(self._seed(), _EVALUATE), seen)


def check_range(name: str, x: Any) -> None:
    """Raises a ValueError if an array is not in [0, 1]."""
    if isinstance(x, np.ndarray) and x.size:
        low, high = x.min(), x.max()
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"`{name}` must be in [0, 1]. Received: values from {low} to "
                f"{high}. Divide grey levels by 255."
            )


def _fold(seed: tf.Tensor, salt: Any) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, salt)
