"""Milliseconds of an optimizer step, beside leave-one-out's in one run."""

from collections.abc import Callable
import dataclasses
import pathlib
import time
from typing import Any, NamedTuple

from absl import logging
import keras
import numpy as np
import tensorflow as tf

from tf_relax import datasets
from tf_relax.experiments import _files
from tf_relax.experiments._settings import setting
from tf_relax.models import DiscreteVAE
from tf_relax.models import estimator_names
from tf_relax.models import Replicas

_REFERENCE = "leave_one_out"
_LEARNING_RATE = 1e-3


class Case(NamedTuple):
    """What is timed."""

    estimator: str
    architecture: str
    batch_size: int
    steps_per_call: int
    jit_compile: bool
    replicas: int = 1


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings:
    """What is timed, crossed; the flags of `bin/benchmark.py`."""

    estimator: str = setting(
        "leave_one_out,rebar,relax,relax_independent",
        f"Separated by commas: {', '.join(estimator_names())}.",
    )
    architecture: str = setting("nonlinear", "Separated by commas.")
    batch_size: str = setting("100", "Images a step, separated by commas.")
    steps_per_call: str = setting("1,50", "Separated by commas.")
    jit_compile: str = setting("true,false", "true, false or both.")
    replicas: str = setting(
        "1", "Runs side by side in one program, separated by commas."
    )
    rounds: int = setting(10, "How often each case is timed.", 1)
    steps_per_round: int = setting(100, "Steps of one timing.", 1)

    def cases(self) -> list[Case]:
        """Returns the cross product.

        Raises:
          ValueError: if a number is none, or no truth value is one.
        """
        return [
            Case(estimator, architecture, size, steps, _truth(jit), replicas)
            for architecture in self.architecture.split(",")
            for size in _numbers("batch_size", self.batch_size)
            for steps in _numbers("steps_per_call", self.steps_per_call)
            for jit in self.jit_compile.split(",")
            for replicas in _numbers("replicas", self.replicas)
            for estimator in self.estimator.split(",")
        ]


def benchmark(
    settings: BenchmarkSettings, out: pathlib.Path
) -> list[dict[str, Any]]:
    """Times optimizer steps, all updates included, and writes a CSV.

    Every round runs every case, so that a machine whose speed drifts slows
    them alike; `ratio_to_leave_one_out` is the median of the ratios within
    a round, to the two-sample leave-one-out step of the same architecture,
    batch size, steps per call, compiler and replicas; `ratio_to_single_runs`
    that of a step of all R replicas to R steps of the same case alone.
    `compile_seconds` is the first call's time.

    Args:
      settings: what is timed.
      out: the CSV file. Beside it, with the ending `.json`, there will be
        device, versions and the machine's matrix-product rate.

    Returns:
      The rows of the CSV.

    Raises:
      ValueError: if a name or a number is wrong.
    """
    cases = settings.cases()
    data = datasets.load("mnist")
    runs, compile_seconds = {}, {}
    for case in cases:
        runs[case] = _timer(case, data, settings.steps_per_round)
        begin = time.perf_counter()
        runs[case](1)
        compile_seconds[case] = time.perf_counter() - begin
        logging.info("%s: ready in %.1f s", case, compile_seconds[case])
    seconds: dict[Case, list[float]] = {case: [] for case in cases}
    for _ in range(settings.rounds):
        for case, run in runs.items():
            seconds[case].append(run())
    rows = [_row(case, seconds, compile_seconds[case]) for case in cases]
    _files.write_csv(out, rows)
    rate = matrix_product_rate()
    _files.write_json(
        out.with_suffix(".json"),
        {"matrix_product_gflops": round(rate, 1)}
        | {"settings": dataclasses.asdict(settings)}
        | _files.provenance(0, any(case.jit_compile for case in cases)),
    )
    logging.info("Matrix products: %.0f GFLOP/s", rate)
    return rows


def matrix_product_rate(size: int = 2048) -> float:
    """Returns 1e9 operations a second of a float32 matrix product."""
    x = tf.ones([size, size])
    product = tf.function(tf.linalg.matmul, jit_compile=True)

    def run() -> float:
        begin = time.perf_counter()
        product(x, x).numpy()
        return time.perf_counter() - begin

    run()  # Compiles.
    return 2e-9 * size**3 / min(run() for _ in range(5))


def _timer(
    case: Case, data: datasets.ImageDataset, steps_per_round: int
) -> Callable[..., float]:
    """Returns a function that times a step, in seconds, by so many calls."""
    call = (_single if case.replicas == 1 else _side_by_side)(case, data)
    usual = max(1, steps_per_round // case.steps_per_call)

    def run(calls: int = usual) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            elbo = call()
        elbo.numpy()  # Waits for the device.
        return (time.perf_counter() - begin) / (calls * case.steps_per_call)

    return run


def _single(case: Case, data: datasets.ImageDataset) -> Callable[[], tf.Tensor]:
    """Returns a function that makes one call of one run."""
    model = _model(case, data, seed=0)
    model.compile(
        keras.optimizers.Adam(_LEARNING_RATE),
        steps_per_call=case.steps_per_call,
        jit_compile=case.jit_compile,
    )
    images = tf.constant(
        np.resize(data.train, (case.batch_size * case.steps_per_call, 784))
    )

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
        [_LEARNING_RATE] * case.replicas,
        steps_per_call=case.steps_per_call,
        jit_compile=case.jit_compile,
    )
    flat = (case.batch_size * case.steps_per_call, case.replicas, 784)
    images = tf.constant(np.resize(data.train, flat))
    return lambda: replicas.train(images)


def _model(case: Case, data: datasets.ImageDataset, seed: int) -> DiscreteVAE:
    return DiscreteVAE(
        case.architecture, estimator=case.estimator, mean=data.mean, seed=seed
    )


def _row(
    case: Case, seconds: dict[Case, list[float]], compile_seconds: float
) -> dict[str, Any]:
    own = 1e3 * np.array(seconds[case])

    def ratio(times: int, **reference: Any) -> str:
        others = seconds.get(case._replace(**reference))
        if others is None:
            return ""
        return f"{np.median(own / (1e3 * times * np.array(others))):.3f}"

    return case._asdict() | {
        "median_ms": f"{np.median(own):.4f}",
        "min_ms": f"{own.min():.4f}",
        "max_ms": f"{own.max():.4f}",
        "compile_seconds": f"{compile_seconds:.2f}",
        "ratio_to_leave_one_out": ratio(1, estimator=_REFERENCE),
        "ratio_to_single_runs": ratio(case.replicas, replicas=1),
    }


def _numbers(name: str, words: str) -> list[int]:
    numbers = [int(word) if word.isdigit() else 0 for word in words.split(",")]
    if min(numbers) < 1:
        raise ValueError(
            f"`{name}` must be whole numbers >= 1, separated by commas. "
            f"Received: {name}={words}."
        )
    return numbers


def _truth(word: str) -> bool:
    if word not in ("true", "false"):
        raise ValueError(
            "`jit_compile` must be true, false or true,false. Received: "
            f"{word!r}."
        )
    return word == "true"
