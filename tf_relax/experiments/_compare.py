"""Variance of several estimators' gradients at one trained model."""

import dataclasses
import pathlib
from typing import Any

from absl import logging
import keras
import numpy as np
import tensorflow as tf

from tf_relax import datasets
from tf_relax.estimators import expectation
from tf_relax.experiments import _files
from tf_relax.experiments._settings import setting
from tf_relax.models import DiscreteVAE
from tf_relax.models import estimator_names
from tf_relax.models import named_estimator

_REFERENCE = "leave_one_out"
_BATCH = 100  # Images a step of the control variate.


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """What is compared; the flags of `bin/compare.py`."""

    estimator: str = setting(
        "reinforce,leave_one_out,dlax,rebar,relax,relax_independent",
        f"Separated by commas: {', '.join(estimator_names())}.",
    )
    data_dir: str = setting("", "Your own MNIST. Empty: the embedded file.")
    control_variate_steps: int = setting(
        2000, "Adam steps for each control variate, at the frozen model.", 0
    )
    num_images: int = setting(200, "Validation images to measure at.", 2)
    num_draws: int = setting(200, "Pairs of draws of each image's gradient.", 2)
    temperature: float = setting(0.1, "Of a relaxed f at the start.", 1e-3)
    seed: int = setting(0, "Of all draws.", 0)


def compare(
    settings: CompareSettings, model_path: pathlib.Path, out: pathlib.Path
) -> list[dict[str, Any]]:
    """Measures the variance of each estimator's gradient by the logits.

    The model is frozen, and the images are the same for all. An estimator of
    the name that the model was trained with keeps its control variate; every
    other one is trained first, by its own variance, at the frozen model.
    `reinforce`'s baseline is warmed up likewise.

    Args:
      settings: of the comparison.
      model_path: a `.keras` file of a `DiscreteVAE`.
      out: the CSV file: `estimator, num_samples, gradient_variance,
        standard_error, ratio_to_leave_one_out`. The variance is summed over
        the latents and averaged over the images, in nats^2.

    Returns:
      The rows of the CSV.

    Raises:
      FileNotFoundError: if there is no model.
      ValueError: if an estimator is unknown.
    """
    if not model_path.exists():
        raise FileNotFoundError(
            f"No model at {model_path}. Expected the model.keras of a run of "
            "train_vae."
        )
    model = keras.models.load_model(model_path)
    data = datasets.load("mnist", data_dir=settings.data_dir or None)
    measured = {}
    for name in settings.estimator.split(","):
        estimator = _trained_estimator(settings, model, name, data.train)
        measured[name] = (
            estimator.min_samples,
            *_variance(settings, model, estimator, data.valid),
        )
        logging.info("%s: variance %.4g +- %.2g", name, *measured[name][1:])
    reference = measured.get(_REFERENCE)
    rows = [
        {
            "estimator": name,
            "num_samples": num_samples,
            "gradient_variance": f"{variance:.6g}",
            "standard_error": f"{error:.3g}",
            "ratio_to_leave_one_out": f"{variance / reference[1]:.4f}"
            if reference
            else "",
        }
        for name, (num_samples, variance, error) in measured.items()
    ]
    _files.write_csv(out, rows)
    _files.write_json(
        out.with_suffix(".json"),
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(settings.seed, jit_compile=True),
    )
    return rows


def _trained_estimator(
    settings: CompareSettings, model: DiscreteVAE, name: str, train: np.ndarray
) -> Any:
    if name == model.estimator_name:
        return model.estimator
    estimator = named_estimator(name, settings.temperature, settings.seed)
    for layer in estimator.layers:
        if not layer.built:
            layer.build((None, model.num_latents), (None, train.shape[1]))
    if not estimator.layers:
        return estimator
    variables = estimator.trainable_variables
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(variables)
    pixels = tf.constant(train)

    @tf.function(jit_compile=True, autograph=False)
    def run() -> None:
        def step(index: tf.Tensor) -> list[tf.Tensor]:
            seed = tf.stack([settings.seed, index])
            images = tf.gather(pixels, _choose(seed, len(train)))
            with tf.GradientTape() as tape:
                q = model.posterior(images)
                losses = expectation(
                    model.negative_elbo(q, images),
                    q,
                    estimator=estimator,
                    seed=seed,
                    context=model.context(images),
                )
                loss = tf.reduce_mean(losses)
            if variables:  # A moving average has learned by being used.
                optimizer.apply(tape.gradient(loss, variables), variables)
            return [index + 1]

        tf.while_loop(lambda i: i < settings.control_variate_steps, step, [0])

    run()
    return estimator


def _choose(seed: tf.Tensor, size: int) -> tf.Tensor:
    return tf.random.stateless_uniform([_BATCH], seed, 0, size, tf.int32)


def _variance(
    settings: CompareSettings, model: DiscreteVAE, estimator: Any, valid: Any
) -> tuple[float, float]:
    """Returns the mean total variance of an image and its standard error."""
    images = tf.constant(valid[: settings.num_images])

    @tf.function(jit_compile=True, autograph=False)
    def run() -> tf.Tensor:
        q = model.posterior(images)
        f = model.negative_elbo(q, images)
        context = model.context(images)

        def gradient(seed: tf.Tensor) -> tf.Tensor:
            draw = estimator.draw(q, seed=seed, num_samples=None)
            c = estimator.bind(q, draw, f, context)
            estimate = estimator.examples(q, draw, f(draw.sample), c)
            return estimate.gradients["logits"]

        def body(index: tf.Tensor, halves: tf.TensorArray) -> Any:
            first = gradient(tf.stack([settings.seed, 2 * index]))
            second = gradient(tf.stack([settings.seed, 2 * index + 1]))
            # Half the squared difference has the variance as its mean.
            half = 0.5 * tf.reduce_sum(tf.square(first - second), -1)
            return index + 1, halves.write(index, half)

        start = tf.TensorArray(
            tf.float32, settings.num_draws, element_shape=images.shape[:1]
        )
        return tf.while_loop(
            lambda index, _: index < settings.num_draws,
            body,
            (tf.constant(0), start),
        )[1].stack()

    halves = run().numpy()  # [num_draws, num_images]
    # The images are given: what is uncertain is the draws.
    error = np.sqrt(halves.var(0, ddof=1).mean() / halves.size)
    return float(halves.mean()), float(error)
