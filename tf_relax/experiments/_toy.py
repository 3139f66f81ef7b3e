"""The paper's toy: minimise E[(b - t)^2] over one Bernoulli logit."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import pathlib
from typing import Any

from absl import logging
import keras
import numpy as np
import tensorflow as tf

from tf_relax import control_variates
from tf_relax import distributions
from tf_relax import estimators
from tf_relax._names import unknown
from tf_relax.experiments import _files
from tf_relax.experiments import _plots
from tf_relax.experiments._settings import setting
from tf_relax.experiments._settings import write_flags

_RECORD_EVERY = 10  # Steps between two measurements of the variance.
_FRESH_SAMPLES = 1000  # For each of them.
_LEARNING_RATE = 0.01  # Of the logit's Adam, and of the control variate's.


def _relax(seed: int) -> estimators.Estimator:
    # The published figure's: c = s * network(2 * sigmoid(z / lambda) - 1),
    # with s = 0 at the start.
    network = control_variates.Network(
        (10,), "tanh", temperature=0.5, seed=seed
    )
    return estimators.RELAX(control_variates.Scaled(network, scale=0.0))


TOY_ESTIMATORS: dict[str, Callable[[int], estimators.Estimator]] = {
    "reinforce": lambda seed: estimators.Reinforce(),
    "rebar": lambda seed: estimators.REBAR(),
    "relax": _relax,
}


@dataclasses.dataclass(frozen=True)
class ToySettings:
    """What the toy is run with; the flags of `bin/toy.py`."""

    estimator: str = setting(
        ",".join(TOY_ESTIMATORS), "One or several, separated by commas."
    )
    target: float = setting(0.499, "t in f(b) = (b - t)^2.")
    steps: int = setting(10_000, "Optimizer steps, of one sample each.", 1)
    num_seeds: int = setting(1, "Runs of each estimator.", 1)
    seed: int = setting(0, "Of the first run.", 0)


def run_toy(settings: ToySettings, out: pathlib.Path) -> list[dict[str, Any]]:
    """Runs the toy; writes `config.json`, `metrics.csv` and `curves.png`.

    Args:
      settings: of the runs.
      out: the folder.

    Returns:
      The rows of `metrics.csv`: `loss` is the exact expected loss,
      `log_variance` the natural logarithm of the variance of the gradient by
      the logit, over 1,000 fresh samples at frozen parameters.

    Raises:
      ValueError: if an estimator is unknown.
    """
    names = settings.estimator.split(",")
    for name in names:
        if name not in TOY_ESTIMATORS:
            raise ValueError(unknown("estimator", name, TOY_ESTIMATORS))
    rows = []
    for name in names:
        final = []
        for seed in range(settings.seed, settings.seed + settings.num_seeds):
            record = train_toy(name, settings.target, settings.steps, seed)
            rows += [
                {"estimator": name, "seed": seed} | _row(record, i)
                for i in range(len(record["step"]))
            ]
            final.append(record["loss"][-1])
        logging.info(
            "%s: expected loss %.5f, standard deviation %.5f over %d seeds",
            name,
            np.mean(final),
            np.std(final),
            settings.num_seeds,
        )
    write_flags(settings, out / "flags.txt")
    _files.write_json(
        out / "config.json",
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(settings.seed, jit_compile=True),
    )
    _files.write_csv(out / "metrics.csv", rows)
    draw_toy(out / "curves.png", rows, settings)
    return rows


def train_toy(
    name: str, target: float, steps: int, seed: int
) -> dict[str, np.ndarray]:
    """Returns `step`, `theta`, `loss`, `log_variance` of one run, `[T]` each.

    The whole run is one XLA program.
    """
    num_records = steps // _RECORD_EVERY + 1
    run = _Run(name, target, seed)  # Its `tf.function` refers to it weakly.
    logit, log_variance = run.records(num_records).numpy().astype(np.float64).T
    theta = 1.0 / (1.0 + np.exp(-logit))
    return {
        "step": _RECORD_EVERY * np.arange(num_records),
        "theta": theta,
        "loss": expected_loss(theta, target),
        "log_variance": log_variance,
    }


class _Run:
    """The state of one run: the logit, the estimator, their optimizers."""

    def __init__(self, name: str, target: float, seed: int) -> None:
        self._target = target
        self._seed = seed
        self._logits = tf.Variable([0.0])
        self._estimator = TOY_ESTIMATORS[name](seed)
        self._optimizer = keras.optimizers.Adam(_LEARNING_RATE)
        self._own_optimizer = keras.optimizers.Adam(_LEARNING_RATE)
        # Every variable is there before the program is traced.
        for layer in self._estimator.layers:
            if not layer.built:
                layer.build((None, 1))
        self._optimizer.build([self._logits])
        self._own_optimizer.build(self._estimator.trainable_variables)

    @tf.function(jit_compile=True, autograph=False)
    def records(self, num: int) -> tf.Tensor:
        """Returns `num` measurements with steps in between, `[num, 2]`."""

        def body(index: tf.Tensor, records: tf.TensorArray) -> Any:
            records = records.write(index, self._measure())
            tf.while_loop(lambda k: k < _RECORD_EVERY, self._step, [0])
            return index + 1, records

        records = tf.TensorArray(tf.float32, num, element_shape=[2])
        return tf.while_loop(
            lambda index, _: index < num,
            body,
            (tf.constant(0), records),
            parallel_iterations=1,
        )[1].stack()

    def _step(self, index: tf.Tensor) -> list[tf.Tensor]:
        own = self._estimator.trainable_variables
        with tf.GradientTape() as tape:
            loss = estimators.expectation(
                self._f,
                distributions.Bernoulli(logits=self._logits),
                estimator=self._estimator,
                seed=self._seed_of(0),
            )
        gradient, *variance_gradients = tape.gradient(
            loss, [self._logits, *own]
        )
        self._optimizer.apply([gradient], [self._logits])
        if own:
            self._own_optimizer.apply(variance_gradients, own)
        return [index + 1]

    def _measure(self) -> tf.Tensor:
        """Returns the logit and the log-variance of its gradient, `[2]`."""
        logits = tf.tile(self._logits[tf.newaxis], [_FRESH_SAMPLES, 1])
        gradient = self._estimator.estimate(
            self._f,
            distributions.Bernoulli(logits=logits),
            seed=self._seed_of(1),
        ).gradients["logits"]
        log_variance = tf.math.log(tf.math.reduce_variance(gradient))
        return tf.stack([self._logits[0], log_variance])

    def _f(self, b: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.square(b - self._target), -1)

    def _seed_of(self, stream: int) -> tf.Tensor:
        now = tf.cast(self._optimizer.iterations, tf.int32)
        return tf.stack([2 * self._seed + stream, now])


def expected_loss(theta: np.ndarray, target: float) -> np.ndarray:
    """Returns `E[(b - t)^2]` at `p(b = 1) = theta`."""
    return theta * (1 - target) ** 2 + (1 - theta) * target**2


def exact_loss(target: float, steps: int) -> dict[str, np.ndarray]:
    """Returns `step` and `loss` of the same Adam with the exact gradient."""
    logit = tf.Variable(0.0)
    optimizer = keras.optimizers.Adam(_LEARNING_RATE)
    optimizer.build([logit])

    @tf.function(jit_compile=True, autograph=False)
    def run() -> tf.Tensor:
        def body(index: tf.Tensor, logits: tf.TensorArray) -> Any:
            logits = logits.write(index, logit)
            p = tf.sigmoid(logit)
            # d E[(b - t)^2] / d logit; the paper's code lacks the (1 - p).
            optimizer.apply([p * (1 - p) * (1 - 2 * target)], [logit])
            return index + 1, logits

        logits = tf.TensorArray(tf.float32, steps + 1, element_shape=[])
        return tf.while_loop(
            lambda index, _: index <= steps, body, (tf.constant(0), logits)
        )[1].stack()

    theta = 1.0 / (1.0 + np.exp(-run().numpy().astype(np.float64)))
    return {
        "step": np.arange(steps + 1),
        "loss": expected_loss(theta, target)[np.newaxis],
    }


def draw_toy(
    path: pathlib.Path,
    rows: Sequence[Mapping[str, Any]],
    settings: ToySettings,
) -> None:
    """Draws loss and log-variance of every estimator, mean and band."""
    curves: dict[str, dict[str, np.ndarray]] = {}
    for name in dict.fromkeys(row["estimator"] for row in rows):
        own = [row for row in rows if row["estimator"] == name]
        seeds = len({row["seed"] for row in own})
        curves[name] = {
            key: np.array([float(row[key]) for row in own]).reshape(seeds, -1)
            for key in ("loss", "log_variance")
        }
        length = curves[name]["loss"].shape[1]
        curves[name]["step"] = _RECORD_EVERY * np.arange(length)
    curves["exact gradient"] = exact_loss(settings.target, settings.steps)
    panels = {
        "loss": f"E[(b - {settings.target:g})^2]",
        "log_variance": "log variance of the gradient",
    }
    _plots.draw_bands(path, curves, panels)


def _row(record: Mapping[str, np.ndarray], index: int) -> dict[str, Any]:
    return {
        "step": int(record["step"][index]),
        **{
            key: float(f"{record[key][index]:.8g}")
            for key in ("theta", "loss", "log_variance")
        },
    }
