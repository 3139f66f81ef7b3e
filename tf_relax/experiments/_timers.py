"""Optimizer steps of a model, made ready to be timed."""

from collections.abc import Callable, Sequence
import time
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_relax import datasets
from tf_relax.experiments import _floor
from tf_relax.experiments._vae_model import each_layers
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
    control_variate_every: int = 1


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


def work(case: Case, data: datasets.ImageDataset) -> tuple[float, float]:
    """Returns the operations of a step's matrix products, and its weights.

    Means over the steps, in most of which control variates may stand still.
    The operations are counted in programs of few images: they are linear in
    the batch. All replicas count.

    Args:
      case: whose step.
      data: of the images.
    """
    model = _compiled(case, data)
    images = tf.constant(data.train[:_FEW_IMAGES])

    def operations(step: Callable[[tf.Tensor], tf.Tensor]) -> int:
        program = tf.function(step, jit_compile=True, autograph=False)
        compiler_ir = program.experimental_get_compiler_ir(images)
        return _floor.matrix_operations(compiler_ir(stage="optimized_hlo"))

    def size(variables: Sequence[Any]) -> int:
        return sum(int(np.prod(v.shape)) for v in variables)

    every = case.control_variate_every
    total = operations(model._step)
    if every > 1:
        total += (every - 1) * operations(model._model_step)
    weights = (
        size(model.model_variables) + size(model.estimator_variables) / every
    )
    times = case.replicas * case.batch_size / _FEW_IMAGES
    return times * total / every, case.replicas * weights


def _single(case: Case, data: datasets.ImageDataset) -> Callable[[], tf.Tensor]:
    """Returns a function that makes one call of one run."""
    model = _compiled(case, data)
    count = case.batch_size * case.steps_per_call
    images = tf.constant(np.resize(data.train, (count, 784)))

    @tf.function(jit_compile=case.jit_compile, autograph=False)
    def step(images: tf.Tensor) -> tf.Tensor:
        return model.train_step((images,))["elbo"]

    return lambda: step(images)


def _side_by_side(
    case: Case, data: datasets.ImageDataset
) -> Callable[[], tf.Tensor]:
    """Returns a function that makes one call of replicas of R seeds."""
    replicas = Replicas(
        [_model(case, data, seed) for seed in range(case.replicas)],
        [keras.optimizers.Adam(_LEARNING_RATE)] * case.replicas,
        steps_per_call=case.steps_per_call,
        control_variate_every=case.control_variate_every,
        jit_compile=case.jit_compile,
    )
    flat = (case.batch_size * case.steps_per_call, case.replicas, 784)
    images = tf.constant(np.resize(data.train, flat))
    return lambda: replicas.train(images)


def _compiled(case: Case, data: datasets.ImageDataset) -> DiscreteVAE:
    model = _model(case, data, seed=0)
    model.compile(
        keras.optimizers.Adam(_LEARNING_RATE),
        steps_per_call=case.steps_per_call,
        control_variate_every=case.control_variate_every,
        jit_compile=case.jit_compile,
    )
    return model


def _model(case: Case, data: datasets.ImageDataset, seed: int) -> DiscreteVAE:
    return DiscreteVAE(
        case.architecture,
        case.num_latents or None,
        estimator=each_layers(case.estimator),
        mean=data.mean,
        num_samples=case.num_samples or None,
        seed=seed,
    )
