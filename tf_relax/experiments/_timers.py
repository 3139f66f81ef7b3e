"""Optimizer steps of a model, made ready to be timed."""

from collections.abc import Callable
import time
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_relax import datasets
from tf_relax.experiments import _floor
from tf_relax.models import DiscreteVAE
from tf_relax.models import Replicas

_LEARNING_RATE = 1e-3
_FEW_IMAGES = 8


class Case(NamedTuple):
    """What is timed."""

    estimator: str
    architecture: str
    batch_size: int
    steps_per_call: int
    jit_compile: bool
    replicas: int = 1
    num_latents: int = 0  # 0 for the architecture's own.
    num_samples: int = 0  # 0 for as few as the estimator needs.


class Timer:
    """A case that has been compiled and has run.

    Attributes:
      case: what it is.
      compile_seconds: of the first call.

    Raises:
      TypeError, ValueError: if there is no such model.
    """

    def __init__(
        self, case: Case, data: datasets.ImageDataset, steps_per_round: int
    ) -> None:
        """See the class."""
        self.case = case
        self._calls = max(1, steps_per_round // case.steps_per_call)
        make = _single if case.replicas == 1 else _side_by_side
        self._call = make(case, data)
        begin = time.perf_counter()
        self._call().numpy()
        self.compile_seconds = time.perf_counter() - begin

    def __call__(self) -> float:
        """Returns the seconds of a step, by the calls of one round."""
        begin = time.perf_counter()
        for _ in range(self._calls):
            elbo = self._call()
        elbo.numpy()  # Waits for the device.
        steps = self._calls * self.case.steps_per_call
        return (time.perf_counter() - begin) / steps


def work(case: Case, data: datasets.ImageDataset) -> tuple[float, int]:
    """Returns the operations of a step's matrix products, and the weights.

    The operations are counted in the program of few images: they are linear
    in the batch. All replicas count.

    Args:
      case: whose step.
      data: of the images.
    """
    few = case._replace(batch_size=_FEW_IMAGES, steps_per_call=1, replicas=1)
    step, images, model = _step(few._replace(jit_compile=True), data)
    program = step.experimental_get_compiler_ir(images)(stage="optimized_hlo")
    variables = [*model.model_variables, *model.estimator_variables]
    weights = sum(int(np.prod(v.shape)) for v in variables)
    times = case.replicas * case.batch_size / _FEW_IMAGES
    return times * _floor.matrix_operations(program), case.replicas * weights


def _single(case: Case, data: datasets.ImageDataset) -> Callable[[], tf.Tensor]:
    """Returns a function that makes one call of one run."""
    step, images, _ = _step(case, data)
    return lambda: step(images)


def _step(case: Case, data: datasets.ImageDataset) -> Any:
    """Returns a compiled function, its argument, and the model."""
    model = _model(case, data, seed=0)
    model.compile(
        keras.optimizers.Adam(_LEARNING_RATE),
        steps_per_call=case.steps_per_call,
        jit_compile=case.jit_compile,
    )

    @tf.function(jit_compile=case.jit_compile, autograph=False)
    def step(images: tf.Tensor) -> tf.Tensor:
        return model.train_step((images,))["elbo"]

    count = case.batch_size * case.steps_per_call
    return step, tf.constant(np.resize(data.train, (count, 784))), model


def _side_by_side(
    case: Case, data: datasets.ImageDataset
) -> Callable[[], tf.Tensor]:
    """Returns a function that makes one call of replicas of R seeds."""
    replicas = Replicas(
        [_model(case, data, seed) for seed in range(case.replicas)],
        [_LEARNING_RATE] * case.replicas,
        steps_per_call=case.steps_per_call,
        jit_compile=case.jit_compile,
    )
    flat = (case.batch_size * case.steps_per_call, case.replicas, 784)
    images = tf.constant(np.resize(data.train, flat))
    return lambda: replicas.train(images)


def _model(case: Case, data: datasets.ImageDataset, seed: int) -> DiscreteVAE:
    return DiscreteVAE(
        case.architecture,
        case.num_latents or None,
        estimator=case.estimator,
        mean=data.mean,
        num_samples=case.num_samples or None,
        seed=seed,
    )
