"""A variational autoencoder with discrete latents, for `model.fit`."""

from collections.abc import Mapping
import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_relax import distributions
from tf_relax._shapes import whole_sizes
from tf_relax.estimators import check_kind
from tf_relax.estimators import check_layers
from tf_relax.models import _architectures
from tf_relax.models import _saved
from tf_relax.models._bernoulli_elbo import log_bernoulli
from tf_relax.models._checks import check_whole
from tf_relax.models._checks import mean_image
from tf_relax.models._checks import pixels_of
from tf_relax.models._latents import latents_of
from tf_relax.models._named import estimators_of_layers
from tf_relax.models._named import named
from tf_relax.models._networks import at_least_float32
from tf_relax.models._networks import listed
from tf_relax.models._networks import logits_of
from tf_relax.models._networks import logits_of_constant
from tf_relax.models._objective import trains_bound
from tf_relax.models._sampling import Sampling
from tf_relax.models._trainer import EstimatorTrainer


@keras.saving.register_keras_serializable(package="tf_relax")
class DiscreteVAE(Sampling, EstimatorTrainer):
    """A VAE with layers of discrete latents, trained by any estimator.

        q(b_1 | x) = Bernoulli(encoder_1(x - mean))
        q(b_l | b_(l-1)) = Bernoulli(encoder_l(2 b_(l-1) - 1))
        p(b_L) = Bernoulli(prior_logits)
        p(b_(l-1) | b_l) = Bernoulli(decoder_l(2 b_l - 1)), b_0 = x

    or, with `num_classes`, `OneHotCategorical` and `b_l` in the place of
    `Bernoulli` and `2 b_l - 1`; the pixels stay Bernoulli. The prior begins
    uniform and is learned; the KL term is that of the samples. The image's
    decoder gets the logit of the mean image added. `fit`,
    `evaluate` and `predict` are Keras' own. Images are in [0, 1], of any
    number dtype, and of the size of `image_shape`, flat or not; `predict`
    returns reconstructed pixel probabilities. Encoders and decoders are called
    without `training`: dropout and batch statistics are off, which would tie
    an image's gradient to other draws.

    Metrics, in nats an example: `elbo`, of a single sample; at evaluation
    also `gradient_variance`, the total variance of the estimators' gradients
    by the logits of one example; `relaxed_elbo`, if an estimator has a relaxed
    objective; and `bound`, the importance-weighted bound on log p(x) of
    `bound_samples` samples.

    Args:
      architecture: "linear1", "linear2" or "nonlinear" of the paper, or
        "categorical"; of no effect if encoders and decoders are given.
      num_latents: units of each layer of the architecture. Default: 200; 20
        of "categorical".
      estimator: its name, see `estimator_names()`; or an object of
        `tf_relax`; or one of either for each layer. A name makes one for each.
      mean: the mean training image, in [0, 1]; a number or an array. The
        default centres the input and leaves the decoder alone.
      num_samples: of b for each image in training. Default: as few as the
        estimator needs.
      temperature: of the relaxed f of a named estimator, at the start.
        Default: 0.5.
      estimator_options: further arguments for a named estimator: `hidden`,
        `weight_decay`, `coupled`; see `named_estimator`.
      image_shape: of one image.
      num_classes: C of a one-hot unit; 0 for Bernoulli units. Default: 10 of
        "categorical", else 0. A layer of N units has D = N C logits.
      encoder: any built Keras model, images to `[B, D]` logits; or a list of
        them, one a layer, the second from `[B, D]` to `[B, D_2]`.
      decoder: any built Keras model, `[B, D]` to logits of the pixels; or a
        list of them, the second from `[B, D_2]` to `[B, D]`.
      seed: of the initial weights and every draw.

    Raises:
      TypeError: if an estimator is none for such latents, or for a layer
        above the first.
      ValueError: if a name is unknown, only one of encoder and decoder is
        given, their numbers of layers differ, `mean` is outside [0, 1],
        `seed`, `num_latents` or `num_samples` is no whole number or too
        small, or `temperature` or `estimator_options` are given where no
        estimator is a name.

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
        num_latents: int | None = None,
        estimator: Any = "relax",
        mean: Any = 0.5,
        *,
        num_samples: int | None = None,
        temperature: float | None = None,
        estimator_options: Mapping[str, Any] | None = None,
        image_shape: Any = (784,),
        num_classes: int | None = None,
        encoder: Any = None,
        decoder: Any = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """See the class."""
        super().__init__(**kwargs)
        check_whole("seed", seed, 0)
        self.image_shape = whole_sizes("image_shape", image_shape, "(784,)")
        self._num_pixels = int(np.prod(self.image_shape))
        self._architecture = architecture if encoder is None else None
        self.encoders, self.decoders = listed(encoder, decoder)
        if not self.encoders:
            made_of = _architectures.architecture(
                str(architecture), num_latents, num_classes
            )
            num_classes = made_of.num_classes
            self.encoders, self.decoders = _architectures.build(
                made_of, self._num_pixels, seed
            )
        self.num_classes = num_classes or 0
        self.latents = latents_of(self.num_classes)
        self.event_ndims = self.latents.event_ndims
        self.layer_sizes = [int(e.output_shape[-1]) for e in self.encoders]
        self.temperature = temperature
        self.seed = seed
        zeros = functools.partial(
            self.add_weight,
            initializer="zeros",
            dtype=at_least_float32(),
            autocast=False,
        )
        self.mean = zeros(self.image_shape, trainable=False, name="mean")
        self.mean.assign(mean_image(mean, self.image_shape))
        above = self.latents.shape(self.layer_sizes[-1])
        self.prior_logits = zeros(above, name="prior_logits")
        self.estimator_options = dict(estimator_options or {})
        self.estimator = estimator
        self._set_estimators(num_samples)
        self.built = True

    def _set_estimators(self, num_samples: int | None) -> None:
        """Makes an estimator a layer, with its weights."""
        self.estimators = estimators_of_layers(
            self.estimator,
            len(self.layer_sizes),
            self.temperature,
            self.seed,
            self.estimator_options,
            self.latents.event_ndims,
        )
        check_layers(self.estimators)
        for estimator in self.estimators:
            check_kind(estimator, self.latents.kind)
        # Tracked, so that Keras saves what the estimators have learned.
        self.estimator_layers = [x for e in self.estimators for x in e.layers]
        for index, estimator in enumerate(self.estimators):
            below = self._num_pixels + sum(self.layer_sizes[:index])
            for layer in estimator.layers:
                if not layer.built:
                    shape = self.latents.shape(self.layer_sizes[index])
                    layer.build((None, *shape), (None, below))
        self.num_samples = max(
            e.check_num_samples(num_samples) for e in self.estimators
        )

    def posterior(self, images: tf.Tensor) -> Any:
        """Returns q(b | x); logits are `[B, D]`, one-hot `[B, D / C, C]`.

        Args:
          images: `[B, ...]`, in [0, 1].

        Returns:
          A distribution, or a `Chain` of them if there are several layers.
        """
        centred = self._pixels(images) - self.mean
        if len(self.encoders[0].input_shape) == 2:  # As the paper's are.
            centred = tf.reshape(centred, [-1, self._num_pixels])
        first = self.latents.distribution(self.encoders[0](centred))
        if len(self.encoders) == 1:
            return first
        return distributions.Chain(
            first,
            *(
                lambda below, encoder=encoder: self.latents.distribution(
                    logits_of(encoder, self.latents.inputs(below))
                )
                for encoder in self.encoders[1:]
            ),
        )

    def pixel_logits(self, latents: tf.Tensor) -> tf.Tensor:
        """Returns the logits of p(x | b_1).

        Args:
          latents: b_1 or relaxed b_1, in [0, 1].

        Returns:
          `[..., *image_shape]`, in nats.
        """
        inputs = self.latents.inputs(latents)
        logits = logits_of(self.decoders[0], inputs)
        # The clip is that of the paper's code.
        mean = tf.clip_by_value(self.mean, 0.001, 0.999)
        offset = tf.math.log(mean) - tf.math.log1p(-mean)
        shape = tf.concat([tf.shape(inputs)[:-1], self.image_shape], 0)
        return tf.reshape(logits, shape) + offset

    def log_weight(
        self,
        latents: Any,
        images: tf.Tensor,
        logits: tf.Tensor,
        *,
        kl_weight: Any = 1.0,
        constant_encoders: bool = False,
    ) -> tf.Tensor:
        """Returns `log p(x, b) - log q(b | x)`, an ELBO of one sample.

        Args:
          latents: b or relaxed b, of the shape of q's samples; or a list,
            one a layer.
          images: x, `[B, ...]`, in [0, 1].
          logits: of q(b_1 | x). Their own derivative has mean zero
            and is left out of training: pass them with gradients stopped.
          kl_weight: of all terms but `log p(x | b_1)`.
          constant_encoders: likewise of the layers above: their weights get
            no derivative, the samples do.

        Returns:
          `[..., B]`, in nats.
        """
        samples = latents if isinstance(latents, list | tuple) else [latents]
        log_likelihood = log_bernoulli(
            self._pixels(images),
            self.pixel_logits(samples[0]),
            len(self.image_shape),
        )
        encode = logits_of_constant if constant_encoders else logits_of
        inputs = [self.latents.inputs(b) for b in samples]
        above = map(encode, self.encoders[1:], inputs[:-1])
        below = map(logits_of, self.decoders[1:], inputs[1:])
        of_layer = self.latents.distribution
        posterior = [logits, *(of_layer(x).logits for x in above)]
        prior = [*(of_layer(x).logits for x in below), self.prior_logits]
        log_ratio = sum(map(self.latents.log_ratio, samples, prior, posterior))
        return log_likelihood + tf.cast(kl_weight, log_ratio.dtype) * log_ratio

    def with_estimator(
        self,
        estimator: Any,
        *,
        temperature: float | None = None,
        seed: int = 0,
    ) -> "DiscreteVAE":
        """Returns a model of the same networks with other estimators.

        Encoders and decoders are the same objects; `prior_logits` is a copy.
        Named estimators have this model's `estimator_options`.

        Args:
          estimator: see the class.
          temperature: see the class.
          seed: of every draw.
        """
        other = DiscreteVAE(
            None,
            estimator=estimator,
            mean=self.mean.numpy(),
            temperature=temperature,
            estimator_options=self.estimator_options
            if named(estimator)
            else {},
            image_shape=self.image_shape,
            num_classes=self.num_classes,
            encoder=list(self.encoders),
            decoder=list(self.decoders),
            seed=seed,
        )
        other.prior_logits.assign(self.prior_logits)
        return other

    def negative_elbo(
        self, posterior: Any, images: tf.Tensor, kl_weight: Any = 1.0
    ) -> Any:
        """See `EstimatorTrainer.negative_elbo`."""
        logits = getattr(posterior, "first", posterior).logits
        # d log q(b) / d logits at fixed b has mean zero: noise, left out. Of
        # a relaxed b, and in a bound of several samples, it has not.
        constant = not trains_bound(self) and all(
            e.relaxed_at is None for e in self.estimators
        )
        if constant:
            logits = tf.stop_gradient(logits)
        return lambda *b: (
            -self.log_weight(
                b,
                images,
                logits,
                kl_weight=kl_weight,
                constant_encoders=constant,
            )
        )

    def context(self, images: tf.Tensor) -> Any:
        """See `EstimatorTrainer.context`."""
        centred = self._pixels(images) - self.mean
        centred = tf.reshape(centred, [-1, self._num_pixels])
        return functools.partial(self.latents.context, centred)

    @property
    def model_variables(self) -> list[Any]:
        """See `EstimatorTrainer.model_variables`."""
        return [
            *(v for e in self.encoders for v in e.trainable_variables),
            *(v for d in self.decoders for v in d.trainable_variables),
            self.prior_logits,
        ]

    def _pixels(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images in the dtype of the weights and `image_shape`."""
        return pixels_of(images, self.image_shape, self.mean.dtype)

    def get_config(self) -> dict[str, Any]:
        """See `keras.Model.get_config`."""
        own = self._architecture is None
        config = {
            "architecture": self._architecture,
            "num_latents": self.latents.shape(self.layer_sizes[0])[0],
            "num_classes": self.num_classes,
            "estimator": self.estimator,
            "mean": np.clip(self.mean, 0.0, 1.0).tolist(),
            "num_samples": self.num_samples,
            "temperature": self.temperature,
            "estimator_options": self.estimator_options,
            "image_shape": self.image_shape,
            "encoder": list(self.encoders) if own else None,
            "decoder": list(self.decoders) if own else None,
            "seed": self.seed,
        }
        return {**super().get_config(), **_saved.to_file(config)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DiscreteVAE":
        """See `keras.Model.from_config`."""
        return cls(**_saved.from_file(config))
