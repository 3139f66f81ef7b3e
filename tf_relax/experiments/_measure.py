"""What a trained model is measured by."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_relax.models import DiscreteVAE


class Measured(NamedTuple):
    """A mean over images or draws, with its standard error."""

    mean: float
    standard_error: float


def variance_meter(
    model: DiscreteVAE, images: np.ndarray, num_draws: int, seed: int
) -> Callable[[], Measured]:
    """Returns a function that measures the variance of a model's gradient.

    The gradient is by the logits; its variance is summed over the latents and
    averaged over the images, in nats^2. The model is as it is then, and the
    images are given: what is uncertain is the draws.

    Args:
      model: with the estimators.
      images: `[N, D]`, in [0, 1].
      num_draws: pairs of draws of each image's gradient.
      seed: of the draws.
    """
    pixels = tf.constant(images)

    @tf.function(jit_compile=True, autograph=False)
    def run() -> tf.Tensor:
        def body(index: tf.Tensor, halves: tf.TensorArray) -> Any:
            first = model.examples(pixels, tf.stack([seed, 2 * index]))[-1]
            second = model.examples(pixels, tf.stack([seed, 2 * index + 1]))[-1]
            # Half the squared difference has the variance as its mean.
            half = 0.5 * tf.reduce_sum(tf.square(first - second), -1)
            return index + 1, halves.write(index, half)

        start = tf.TensorArray(
            tf.float32, num_draws, element_shape=pixels.shape[:1]
        )
        return tf.while_loop(
            lambda index, _: index < num_draws, body, (tf.constant(0), start)
        )[1].stack()

    def measure() -> Measured:
        halves = run().numpy()  # [num_draws, N]
        error = np.sqrt(halves.var(0, ddof=1).mean() / halves.size)
        return Measured(float(halves.mean()), float(error))

    return measure


def measured_model(
    model: DiscreteVAE, name: str, temperature: float, seed: int
) -> DiscreteVAE:
    """Returns a model of the same networks, ready to learn its estimator.

    Its control variates have an optimizer like the model's.
    """
    other = model.with_estimator(name, temperature=temperature, seed=seed)
    own = model.control_variate_optimizer
    other.compile(
        keras.optimizers.SGD(0.0),  # Of the networks, which stay.
        type(own).from_config(own.get_config()),
    )
    return other


def evaluate(
    model: DiscreteVAE,
    images: np.ndarray,
    bound_samples: int,
    seed: int = 0,
    batch_size: int = 500,
) -> dict[str, Measured]:
    """Returns ELBO and bound of images, in nats, with errors over images.

    Args:
      model: trained.
      images: `[N, D]`, 0 or 1.
      bound_samples: S of the importance-weighted bound; 0 for none.
      seed: of the draws, which depend on the batches too.
      batch_size: images at a time.

    Returns:
      `elbo`, of one sample an image; `relaxed_elbo`, if the estimator has a
      relaxed objective; and `bound`.
    """

    @tf.function(jit_compile=True, autograph=False)
    def run(batch: tf.Tensor, own: tf.Tensor) -> dict[str, tf.Tensor]:
        value, relaxed, _ = model.examples(batch, tf.stack([2 * seed, own]))
        values = {"elbo": -value}
        if relaxed is not value:
            values["relaxed_elbo"] = -relaxed
        if bound_samples:
            values["bound"] = model.bound(
                batch, bound_samples, tf.stack([2 * seed + 1, own])
            )
        return values

    parts = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        parts.append(run(tf.constant(batch), tf.constant(start)))
    measured = {}
    for name in parts[0]:
        x = np.concatenate([part[name] for part in parts]).astype(np.float64)
        error = x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.nan
        measured[name] = Measured(float(x.mean()), float(error))
    return measured
