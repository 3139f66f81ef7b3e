"""What a trained VAE is used for: reconstructions, samples, bounds."""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax.models._checks import check_range
from tf_relax.models._checks import check_whole
from tf_relax.models._latents import Latents
from tf_relax.models._networks import at_least_float32
from tf_relax.models._networks import logits_of
from tf_relax.relaxations import fold_seed


class LayerTerms(NamedTuple):
    """What the posterior of a layer of N units is, for each image."""

    mean: tf.Tensor  # E[b | what is below]. `[B, N]`, one-hot `[B, N, C]`.
    entropy: tf.Tensor  # Of q(b | what is below), in nats. `[B, N]`.
    log_ratio: tf.Tensor  # log q(b | below) - log p(b | above). `[B, N]`.


class Sampling:
    """Mixin of `DiscreteVAE`, whose networks it uses."""

    encoders: list[Any]
    decoders: list[Any]
    layer_sizes: list[int]
    latents: Latents
    prior_logits: Any
    posterior: Any
    pixel_logits: Any
    log_weight: Any

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Returns pixel probabilities, decoded from the posterior's mode."""
        posterior = self.posterior(images)
        first = getattr(posterior, "first", posterior)
        return tf.sigmoid(self.pixel_logits(self.latents.mode(first.logits)))

    def reconstruct(self, images: Any, seed: Any = (0, 0)) -> tf.Tensor:
        """Returns pixel probabilities of images, through one draw of b.

        Args:
          images: `[B, ...]`, in [0, 1].
          seed: stateless seed, two integers.
        """
        (latents, *_), _ = self._draw(tf.convert_to_tensor(images), seed)
        return tf.sigmoid(self.pixel_logits(latents))

    def generate(self, num: int, seed: Any = (0, 0)) -> tf.Tensor:
        """Returns pixel probabilities of `num` draws from the prior.

        Args:
          num: how many, a number or a tensor.
          seed: stateless seed, two integers.

        Raises:
          ValueError: if `num` is no whole number, or less than 0.
        """
        if not tf.is_tensor(num):
            check_whole("num", num, 0)
        logits = tf.broadcast_to(
            tf.reshape(self.prior_logits, [-1]), [num, self.layer_sizes[-1]]
        )
        samples = self.latents.distribution(logits).draw(seed).sample
        for index, decoder in enumerate(reversed(self.decoders[1:]), start=1):
            logits = logits_of(decoder, self.latents.inputs(samples))
            below = self.latents.distribution(logits)
            samples = below.draw(fold_seed(seed, index)).sample
        return tf.sigmoid(self.pixel_logits(samples))

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

        Raises:
          ValueError: if S is not 1 or more, or images are not in [0, 1].

        References:
          [1]: Burda et al. Importance weighted autoencoders. ICLR 2016.
        """
        check_whole("num_samples", num_samples, 1)
        check_range("images", images)
        size, lowest = tf.shape(images)[0], tf.float32.min
        dtype = at_least_float32()

        def more(index: tf.Tensor, total: tf.Tensor) -> Any:
            samples, posteriors = self._draw(images, fold_seed(seed, index))
            log_w = self.log_weight(samples, images, posteriors[0].logits)
            return index + 1, tf.experimental.numpy.logaddexp(total, log_w)

        _, total = tf.while_loop(
            lambda index, _: index < num_samples,
            more,
            (tf.constant(0), tf.fill([size], tf.cast(lowest, dtype))),
            parallel_iterations=1,
        )
        return total - tf.cast(tf.math.log(float(num_samples)), dtype)

    def layer_terms(self, images: tf.Tensor, seed: Any) -> list[LayerTerms]:
        """Returns what the ELBO's KL term is made of, unit by unit.

        The mean of `log_ratio` over draws is what a unit costs: with a single
        layer, its KL divergence from the prior.

        Args:
          images: `[B, ...]`, in [0, 1].
          seed: stateless seed of the draw, two integers.

        Returns:
          The terms of each layer, at one draw of all of them.
        """
        samples, posteriors = self._draw(images, seed)
        logits = [
            logits_of(decoder, self.latents.inputs(b))
            for decoder, b in zip(self.decoders[1:], samples[1:], strict=True)
        ]
        logits.append(tf.reshape(self.prior_logits, [-1]))
        priors = map(self.latents.distribution, logits)
        return [
            LayerTerms(q.mean(), q.entropy(), q.log_prob(b) - p.log_prob(b))
            for b, q, p in zip(samples, posteriors, priors, strict=True)
        ]

    def _draw(
        self, images: tf.Tensor, seed: Any
    ) -> tuple[list[Any], list[Any]]:
        """Returns hard samples of all layers, and what each is drawn from."""
        posterior = self.posterior(images)
        posteriors = [getattr(posterior, "first", posterior)]
        samples = [posteriors[0].draw(seed).sample]
        conditionals = getattr(posterior, "conditionals", ())
        for index, conditional in enumerate(conditionals, start=1):
            posteriors.append(conditional(samples[-1]))
            draw = posteriors[-1].draw(fold_seed(seed, index))
            samples.append(draw.sample)
        return samples, posteriors
