"""In which numbers matrix products are computed, and what that does."""

from collections.abc import Iterator
import contextlib
import dataclasses
import pathlib
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_relax import datasets
from tf_relax._names import unknown
from tf_relax.experiments import _files
from tf_relax.experiments._settings import setting
from tf_relax.models import architectures
from tf_relax.models import DiscreteVAE
from tf_relax.models import estimator_names

# Name -> Keras' dtype policy, and whether Ampere and later GPUs may use TF32.
_PRECISIONS = {
    "float32": ("float32", False),
    "tensorfloat32": ("float32", True),
    "bfloat16": ("mixed_bfloat16", True),
}
PRECISIONS = tuple(_PRECISIONS)
# Of the timing.
_ROUNDS, _STEPS = 5, 100


@contextlib.contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Sets the precision of matrix products in what is built inside.

    Weights, optimizers, draws and likelihoods are float32 in all of them.

    Args:
      name: "float32"; "tensorfloat32", TensorFlow's default, which rounds the
        factors to 10 bits on GPUs that can and is float32 elsewhere; or
        "bfloat16", which rounds the networks' layers to 7 bits.

    Raises:
      ValueError: if the name is unknown.
    """
    if name not in _PRECISIONS:
        raise ValueError(unknown("matmul_precision", name, PRECISIONS))
    policy = keras.config.dtype_policy()
    tensor_float = tf.config.experimental.tensor_float_32_execution_enabled()
    own_policy, own_tensor_float = _PRECISIONS[name]
    keras.config.set_dtype_policy(own_policy)
    tf.config.experimental.enable_tensor_float_32_execution(own_tensor_float)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        tf.config.experimental.enable_tensor_float_32_execution(tensor_float)


@dataclasses.dataclass(frozen=True)
class PrecisionSettings:
    """What is compared; the flags of `bin/benchmark.py --suite=precision`."""

    precision_architecture: str = setting(
        "nonlinear",
        "Of the VAE.",
        choices=architectures(),
        section="--suite=precision",
    )
    precision_estimator: str = setting(
        "relax", "Of the gradient.", choices=estimator_names()
    )
    precision_batch_size: int = setting(100, "Images a step.", 1)
    precision_steps: int = setting(
        1000, "Steps of training in float32 before gradients are compared.", 1
    )
    precision_draws: int = setting(
        20, "Gradients of each of 1,000 images that are compared.", 2
    )


def precision(
    settings: PrecisionSettings, out: pathlib.Path
) -> list[dict[str, Any]]:
    """Compares gradients and steps by the precision of matrix products.

    At one trained model, gradients by the logits of the first layer are taken
    from the same uniforms in each precision. Columns: `error`, the root mean
    square of the difference to float32, in units of the gradient's own
    standard deviation over draws; `bias`, that of the difference's mean over
    the draws, in the same units, which rounding alone makes
    `error / sqrt(draws)`; `ms`, of a training step, XLA-compiled, 50 in one
    program, the median of 5 times 100.

    Args:
      settings: what is compared.
      out: the CSV file; beside it, ending in `.json`, device and versions.

    Returns:
      The rows of the CSV.

    Raises:
      ValueError: if a name is unknown.
    """
    data = datasets.load("mnist")
    with matmul_precision("float32"):
        trained = _model(settings, data)
        _ms(settings, trained, data, settings.precision_steps, rounds=1)
    weights = trained.get_weights()
    rows, reference = [], None
    for name in PRECISIONS:
        with matmul_precision(name):
            model = _model(settings, data)
            model.set_weights(weights)
            gradients = _gradients(model, data, settings.precision_draws)
            reference = gradients if reference is None else reference
            deviation = reference.std(0, ddof=1)
            scale = np.sqrt(np.mean(np.square(deviation)))
            difference = gradients - reference
            errors = [difference, difference.mean(0)]
            error, bias = (np.sqrt(np.mean(np.square(x))) for x in errors)
            rows.append(
                {
                    "precision": name,
                    "error": f"{error / scale:.2e}",
                    "bias": f"{bias / scale:.2e}",
                    "ms": f"{_ms(settings, model, data, _STEPS, _ROUNDS):.3f}",
                }
            )
    _files.write_csv(out, rows)
    _files.write_json(
        out.with_suffix(".json"),
        {"settings": dataclasses.asdict(settings)} | _files.provenance(0, True),
    )
    return rows


def _model(
    settings: PrecisionSettings, data: datasets.ImageDataset
) -> DiscreteVAE:
    model = DiscreteVAE(
        settings.precision_architecture,
        estimator=settings.precision_estimator,
        mean=data.mean,
    )
    model.compile(keras.optimizers.Adam(1e-3), steps_per_call=50)
    return model


def _gradients(
    model: DiscreteVAE, data: datasets.ImageDataset, num_draws: int
) -> np.ndarray:
    """Returns gradients by the logits, `[num_draws, 1000, D]`, in float64."""
    images = tf.constant(data.train[:1000])
    examples = tf.function(model.examples, jit_compile=True, autograph=False)
    draws = [
        np.asarray(examples(images, tf.constant([1, draw]))[2], np.float64)
        for draw in range(num_draws)
    ]
    return np.stack(draws)


def _ms(
    settings: PrecisionSettings,
    model: DiscreteVAE,
    data: datasets.ImageDataset,
    steps: int,
    rounds: int,
) -> float:
    """Returns the median milliseconds of a step, in rounds of some steps."""
    size = settings.precision_batch_size * model.steps_per_call
    images = tf.constant(np.resize(data.train, (size, data.train.shape[-1])))
    step = tf.function(
        lambda images: model.train_step((images,))["elbo"],
        jit_compile=True,
        autograph=False,
    )
    step(images)  # Compiles.
    calls = -(-steps // model.steps_per_call)

    def run() -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            elbo = step(images)
        elbo.numpy()  # Waits for the device.
        return (time.perf_counter() - begin) / (calls * model.steps_per_call)

    return 1e3 * float(np.median([run() for _ in range(rounds)]))
