"""What a step minimises and what an evaluation measures, as pure functions.

They read the model's variables, or the tensors that a `keras.StatelessScope`
has in their place, and write nothing: one run, several replicas and several
devices call the same ones.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax import estimators
from tf_relax.relaxations import fold_seed

# Salts that keep the random streams of training and evaluation apart.
EVALUATE, SECOND, BOUND, PRETRAIN = 1, 2, 3, 4


class LossGradients(NamedTuple):
    """What `loss_gradients` returns."""

    gradients: list[Any]  # One a variable, None where it has no part.
    elbo: tf.Tensor  # In nats, mean over the images. Scalar.


def loss_gradients(
    model: Any,
    images: tf.Tensor,
    variables: Sequence[Any],
    *,
    seed: tf.Tensor,
    kl_weight: tf.Tensor | None = None,
    penalty_weight: Any = 1.0,
    scale: Any = 1.0,
) -> LossGradients:
    """Returns the gradients of the mean loss of a batch.

    Args:
      model: an `EstimatorTrainer`.
      images: `[B, ...]`, in [0, 1].
      variables: Keras variables to differentiate by.
      seed: stateless seed of the draws, two integers.
      kl_weight: of all terms but the likelihood; None for 1.
      penalty_weight: of the control variates' regularisers.
      scale: factor of what is differentiated; the ELBO is without it.
    """
    values = [v.value for v in variables]
    wanted = {id(v) for v in variables}
    # Without them, an objective of the estimators is not even made.
    learned = {id(v): v for v in model.estimator_variables if id(v) in wanted}
    with tf.GradientTape() as tape:
        tape.watch(values)
        q = model.posterior(images)
        examples = estimators.layer_examples(
            model.negative_elbo(
                q, images, 1.0 if kl_weight is None else kl_weight
            ),
            q,
            list(model.estimators),
            seed=seed,
            num_samples=model.num_samples,
            context=model.context(images),
            variables=list(learned.values()),
        )
        loss = tf.reduce_mean(estimators.attached_value(examples))
        penalties = [
            x for layer in model.estimator_layers for x in layer.losses
        ]
        penalty = penalty_weight * sum(penalties) if penalties else 0.0
        total = loss + penalty
        scaled = tf.cast(scale, total.dtype) * total
    gradients = tape.gradient(scaled, values)
    value = examples.value
    if kl_weight is not None:
        # Of the same b, which XLA decodes once. Where b is drawn again, from
        # the same seed, it does not always see that.
        value = examples.mean_of(model.negative_elbo(q, images))
    return LossGradients(gradients, -tf.reduce_mean(value))


def trains_bound(model: Any) -> bool:
    """Returns whether a model's loss is a bound of several samples."""
    return isinstance(model.estimators[0], estimators.BoundEstimator)


def measurements(
    model: Any, images: tf.Tensor, seed: tf.Tensor, bound_samples: int
) -> dict[str, tf.Tensor]:
    """Returns what an evaluation has of each image, `[B]` each, by name.

    Args:
      model: an `EstimatorTrainer`.
      images: `[B, ...]`, in [0, 1].
      seed: stateless seed of the draws, two integers.
      bound_samples: of the importance-weighted bound; 0 leaves it out.
    """
    value, relaxed, gradient = model.examples(images, seed)
    _, _, again = model.examples(images, fold_seed(seed, SECOND))
    # Half the squared difference of two draws has the variance as mean.
    half = tf.reduce_sum(0.5 * tf.square(gradient - again), -1)
    found = {"elbo": -value, "gradient_variance": half}
    if relaxed is not value:
        found["relaxed_elbo"] = -relaxed
    if bound_samples:
        own = fold_seed(seed, BOUND)
        found["bound"] = model.bound(images, bound_samples, own)
    return found


def training_seed(seed: Any, step: tf.Tensor) -> tf.Tensor:
    """Returns the stateless seed of a step: a resumed run goes on bitwise."""
    return tf.stack([tf.cast(seed, tf.int32), tf.cast(step, tf.int32)])


def evaluation_seed(seed: Any, step: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
    """Returns the stateless seed of a batch of an evaluation.

    Args:
      seed: of the run.
      step: optimizer steps that are done.
      seen: how many images this evaluation has had before.
    """
    own = fold_seed(training_seed(seed, step), EVALUATE)
    return fold_seed(own, tf.cast(seen, tf.int32))


def pretraining_seed(seed: Any, step: tf.Tensor) -> tf.Tensor:
    """Returns the stateless seed of a step of the control variates alone."""
    return fold_seed(training_seed(seed, step), PRETRAIN)
