"""A variational autoencoder with Bernoulli latents, for `model.fit`."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_relax import distributions
from tf_relax.models import _architectures
from tf_relax.models._bernoulli_elbo import log_bernoulli
from tf_relax.models._bernoulli_elbo import log_bernoulli_ratio
from tf_relax.models._named import named_estimator
from tf_relax.models._trainer import check_range
from tf_relax.models._trainer import EstimatorTrainer


@keras.saving.register_keras_serializable(package="tf_relax")
class DiscreteVAE(EstimatorTrainer):
    """A VAE with one layer of Bernoulli latents, trained by any estimator.

        q(b | x) = Bernoulli(encoder(x - mean))
        p(b) = Bernoulli(prior_logits), p(x | b) = Bernoulli(decoder(2 b - 1))

    The decoder's output gets the logit of the mean image added. `fit`,
    `evaluate` and `predict` are Keras' own. Images are in [0, 1], of any
    number dtype, and of the size of `image_shape`, flat or not; `predict`
    returns reconstructed pixel probabilities. Encoder and decoder are called
    without `training`: dropout and batch statistics are off, which would tie
    an image's gradient to other draws.

    Metrics, in nats an example: `elbo`, of a single sample; at evaluation
    also `gradient_variance`, the total variance of the estimator's gradient
    by the logits of one example, and `bound`, the importance-weighted bound
    on log p(x) of `bound_samples` samples.

    Args:
      architecture: "linear1" or "nonlinear" of the paper; of no effect if
        an encoder and a decoder are given.
      num_latents: of the paper's architectures.
      estimator: an object of `tf_relax`, or its name: "relax" (relaxed f and
        network), "rebar", "dlax", "leave_one_out", "reinforce".
      mean: the mean training image, in [0, 1]; a number or an array. The
        default centres the input and leaves the decoder alone.
      num_samples: of b for each image in training. Default: as few as the
        estimator needs.
      temperature: of the relaxed f of a named estimator, at the start.
      image_shape: of one image.
      encoder: any built Keras model, images to `[B, D]` logits.
      decoder: any built Keras model, `[B, D]` to logits of the pixels.
      seed: of the initial weights and every draw.

    Raises:
      ValueError: if a name is unknown, only one of encoder and decoder is
        given, `mean` is outside [0, 1], or `num_samples` is too small.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           https://arxiv.org/abs/1711.00123

    Examples:
      >>> images = (np.arange(64 * 784) % 7 == 0).reshape(64, 784)
      >>> vae = DiscreteVAE("linear1", num_latents=8, mean=images.mean(0))
      >>> vae.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
      >>> history = vae.fit(images, batch_size=32, verbose=0)
      >>> vae.predict(images[:3], verbose=0).shape
      (3, 784)
    """

    def __init__(
        self,
        architecture: str | None = "nonlinear",
        num_latents: int = 200,
        estimator: Any = "relax",
        mean: Any = 0.5,
        *,
        num_samples: int | None = None,
        temperature: float = 0.5,
        image_shape: Any = (784,),
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        if (encoder is None) != (decoder is None):
            raise ValueError(
                "`encoder` and `decoder` go together. Received: "
                f"encoder={encoder}, decoder={decoder}."
            )
        self.image_shape = tuple(image_shape)
        self._num_pixels = int(np.prod(self.image_shape))
        self._architecture = architecture if encoder is None else None
        parts: tuple[Any, Any] = (encoder, decoder)
        if encoder is None:
            parts = _architectures.build(
                str(architecture), self._num_pixels, num_latents, seed
            )
        self.encoder, self.decoder = parts
        self.num_latents = int(self.encoder.output_shape[-1])
        self.temperature = temperature
        self.seed = seed
        self.mean = self.add_weight(
            shape=self.image_shape,
            initializer="zeros",
            trainable=False,
            dtype="float32",
            name="mean",
        )
        self.mean.assign(self._mean_image(mean))
        self.prior_logits = self.add_weight(
            shape=(self.num_latents,),
            initializer="zeros",
            dtype="float32",
            name="prior_logits",
        )
        self.estimator_name = estimator if isinstance(estimator, str) else None
        if isinstance(estimator, str):
            estimator = named_estimator(estimator, temperature, seed)
        self.estimator = estimator
        # Tracked, so that Keras saves what the estimator has learned.
        self.estimator_layers = estimator.layers
        for layer in self.estimator_layers:
            if not layer.built:
                layer.build((None, self.num_latents), (None, self._num_pixels))
        self.num_samples = self.estimator.check_num_samples(num_samples)
        self.built = True

    def posterior(self, images: tf.Tensor) -> distributions.Bernoulli:
        """Returns q(b | x), with batch shape `[B, D]`.

        Args:
          images: `[B, ...]`, in [0, 1].
        """
        centred = self._pixels(images) - self.mean
        if self._architecture is not None:  # The paper's take flat images.
            centred = tf.reshape(centred, [-1, self._num_pixels])
        logits = self.encoder(centred)
        return distributions.Bernoulli(logits=tf.cast(logits, tf.float32))

    def pixel_logits(self, latents: tf.Tensor) -> tf.Tensor:
        """Returns the logits of p(x | b).

        Args:
          latents: b or relaxed b, `[..., D]`, in [0, 1].

        Returns:
          `[..., *image_shape]`, in nats.
        """
        flat = tf.reshape(2.0 * latents - 1.0, [-1, self.num_latents])
        logits = tf.cast(self.decoder(flat), tf.float32)
        # The clip is that of the paper's code.
        mean = tf.clip_by_value(self.mean, 0.001, 0.999)
        offset = tf.math.log(mean) - tf.math.log1p(-mean)
        shape = tf.concat([tf.shape(latents)[:-1], self.image_shape], 0)
        return tf.reshape(logits, shape) + offset

    def log_weight(
        self, latents: tf.Tensor, images: tf.Tensor, logits: tf.Tensor
    ) -> tf.Tensor:
        """Returns `log p(x, b) - log q(b | x)`, an ELBO of one sample.

        Args:
          latents: b or relaxed b, `[..., B, D]`.
          images: x, `[B, ...]`, in [0, 1].
          logits: of q(b | x), `[B, D]`. Its own derivative has mean zero
            and is left out of training: pass it with its gradient stopped.

        Returns:
          `[..., B]`, in nats.
        """
        pixels = self._pixels(images)
        log_likelihood = log_bernoulli(
            pixels, self.pixel_logits(latents), len(self.image_shape)
        )
        log_ratio = log_bernoulli_ratio(latents, self.prior_logits, logits)
        return log_likelihood + log_ratio

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Returns pixel probabilities, decoded from the posterior's mode."""
        mode = tf.cast(self.posterior(images).logits > 0, tf.float32)
        return tf.sigmoid(self.pixel_logits(mode))

    def reconstruct(self, images: Any, seed: Any = (0, 0)) -> tf.Tensor:
        """Returns pixel probabilities of images, through one draw of b.

        Args:
          images: `[B, ...]`, in [0, 1].
          seed: stateless seed, two integers.
        """
        latents = self.posterior(tf.convert_to_tensor(images)).draw(seed).sample
        return tf.sigmoid(self.pixel_logits(latents))

    def generate(self, num: int, seed: Any = (0, 0)) -> tf.Tensor:
        """Returns pixel probabilities of `num` draws from the prior.

        Args:
          num: how many.
          seed: stateless seed, two integers.
        """
        prior = distributions.Bernoulli(
            logits=tf.broadcast_to(
                tf.convert_to_tensor(self.prior_logits), [num, self.num_latents]
            )
        )
        return tf.sigmoid(self.pixel_logits(prior.draw(seed).sample))

    def bound(
        self, images: tf.Tensor, num_samples: int, seed: Any
    ) -> tf.Tensor:
        """Returns the importance-weighted bound on log p(x), in nats.

            log mean_s p(x, b_s) / q(b_s | x)

        Args:
          images: `[B, ...]`, in [0, 1].
          num_samples: S.
          seed: stateless seed, two integers.

        Returns:
          `[B]`.

        References:
          [1]: Burda et al. Importance weighted autoencoders. ICLR 2016.
        """
        q = self.posterior(images)

        def more(index: tf.Tensor, total: tf.Tensor) -> Any:
            own = tf.random.experimental.stateless_fold_in(seed, index)
            log_w = self.log_weight(q.draw(own).sample, images, q.logits)
            return index + 1, tf.experimental.numpy.logaddexp(total, log_w)

        start = tf.fill(tf.shape(q.logits)[:1], tf.float32.min)
        _, total = tf.while_loop(
            lambda index, _: index < num_samples,
            more,
            (tf.constant(0), start),
            parallel_iterations=1,
        )
        return total - tf.math.log(float(num_samples))

    def negative_elbo(
        self, posterior: distributions.Bernoulli, images: tf.Tensor
    ) -> Any:
        """See `EstimatorTrainer.negative_elbo`."""
        # d log q(b) / d logits at fixed b has mean zero: noise, left out.
        logits = tf.stop_gradient(posterior.logits)
        return lambda b: -self.log_weight(b, images, logits)

    def context(self, images: tf.Tensor) -> tf.Tensor:
        """See `EstimatorTrainer.context`."""
        centred = self._pixels(images) - self.mean
        return tf.reshape(centred, [-1, self._num_pixels])

    @property
    def model_variables(self) -> list[Any]:
        """See `EstimatorTrainer.model_variables`."""
        return [
            *self.encoder.trainable_variables,
            *self.decoder.trainable_variables,
            self.prior_logits,
        ]

    def _pixels(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images as float32 in `image_shape`."""
        return tf.reshape(tf.cast(images, tf.float32), [-1, *self.image_shape])

    def _mean_image(self, mean: Any) -> np.ndarray:
        mean = np.asarray(mean, np.float32)
        check_range("mean", mean)
        if mean.size == self._num_pixels:
            mean = mean.reshape(self.image_shape)
        return np.broadcast_to(mean, self.image_shape)

    def get_config(self) -> dict[str, Any]:
        """See `keras.Model.get_config`."""
        config = {
            "architecture": self._architecture,
            "num_latents": self.num_latents,
            "estimator": self.estimator_name or self.estimator,
            "num_samples": self.num_samples,
            "temperature": self.temperature,
            "image_shape": self.image_shape,
            "encoder": self.encoder if self._architecture is None else None,
            "decoder": self.decoder if self._architecture is None else None,
            "seed": self.seed,
        }
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), **serialize(config)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DiscreteVAE":
        """See `keras.Model.from_config`."""
        return cls(**keras.saving.deserialize_keras_object(config))
