"""What a trained model is measured by."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_relax.models import DiscreteVAE


class Measured(NamedTuple):
    """A mean over images or draws, with its standard error."""

    mean: float
    standard_error: float


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
