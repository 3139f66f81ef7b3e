"""The paper's toy: minimise E[(b - t)^2] over one Bernoulli logit."""

from collections.abc import Callable, Mapping
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
from tf_relax.experiments import _figures
from tf_relax.experiments import _files
from tf_relax.experiments._exact_toy import expected_loss
from tf_relax.experiments._progress import first_call
from tf_relax.experiments._settings import check_same
from tf_relax.experiments._settings import setting
from tf_relax.experiments._settings import write_flags
from tf_relax.relaxations import bernoulli_draw

_RECORD_EVERY = 10  # Steps between two measurements of the variance.
_FRESH_SAMPLES = 1000  # For each of them.
_POINTS = 200  # Of u, at which a control variate is recorded.
_LARGEST_SEED = 10**9  # Twice that, and then some, is an int32 still.
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
        ",".join(TOY_ESTIMATORS),
        "Estimators to run, with commas.",
        choices=TOY_ESTIMATORS,
        several=True,
        section="Toy",
    )
    target: float = setting(
        0.499, "t in f(b) = (b - t)^2, in units of b.", -1e3, 1e3
    )
    steps: int = setting(10_000, "Optimizer steps, of one sample each.", 1)
    train_theta: bool = setting(
        True, "False: theta stays at 1/2, only control variates are trained."
    )
    num_seeds: int = setting(1, "Runs of each estimator.", 1, 10_000)
    seed: int = setting(
        0, "Seed of the first run; the next has the next.", 0, _LARGEST_SEED
    )


def run_toy(settings: ToySettings, out: pathlib.Path) -> list[dict[str, Any]]:
    """Runs the toy; writes `config.json`, CSV files and `curves.png`.

    `relaxation.csv` has the control variates at the end, `c(z(u))` over the
    uniform u of z; b is 1 where `u > 1 - theta`.

    Args:
      settings: of the runs.
      out: the folder.

    Returns:
      The rows of `metrics.csv`: `loss` is the exact expected loss,
      `log_variance` the natural logarithm of the variance of the gradient by
      the logit, over 1,000 fresh samples at frozen parameters.

    Raises:
      ValueError: if an estimator is unknown, or `out` holds another run.
    """
    names = settings.estimator.split(",")
    for name in names:
        if name not in TOY_ESTIMATORS:
            raise ValueError(unknown("estimator", name, TOY_ESTIMATORS))
    check_same(settings, out / "config.json", may_differ=())
    _files.remove_drafts(out)
    rows, relaxations = [], []
    for name in names:
        final = []
        for seed in range(settings.seed, settings.seed + settings.num_seeds):
            with first_call(f"all steps of {name}, seed {seed}", True):
                record, relaxation = train_toy(
                    name,
                    settings.target,
                    settings.steps,
                    seed,
                    train_theta=settings.train_theta,
                )
            key = {"estimator": name, "seed": seed}
            rows += [key | _row(record, i) for i in range(len(record["step"]))]
            relaxations += [
                key | {"u": f"{u:.5g}", "c": f"{c:.6g}"} for u, c in relaxation
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
    if relaxations:
        _files.write_csv(out / "relaxation.csv", relaxations)
    _figures.draw_toy(out / "curves.png", rows, settings.target)
    return rows


def train_toy(
    name: str,
    target: float,
    steps: int,
    seed: int,
    *,
    train_theta: bool = True,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Runs the toy once, as one XLA program.

    Args:
      name: of the estimator.
      target: t.
      steps: of the optimizers.
      seed: of all draws and the network.
      train_theta: whether theta moves.

    Returns:
      `step`, `theta`, `loss`, `log_variance`, `[T]` each; and the control
      variate at the end, pairs of u and c, `[N, 2]`, none if there is none.
    """
    num_records = steps // _RECORD_EVERY + 1
    # Its `tf.function` refers to it weakly.
    run = _Run(name, target, seed, train_theta)
    logit, log_variance = run.records(num_records).numpy().astype(np.float64).T
    theta = 1.0 / (1.0 + np.exp(-logit))
    record = {
        "step": _RECORD_EVERY * np.arange(num_records),
        "theta": theta,
        "loss": expected_loss(theta, target),
        "log_variance": log_variance,
    }
    return record, run.relaxation()


class _Run:
    """The state of one run: the logit, the estimator, their optimizers."""

    def __init__(
        self, name: str, target: float, seed: int, train_theta: bool
    ) -> None:
        self._target = target
        self._train_theta = train_theta
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
        # The step counts, as the seed of the next, even if theta stays.
        moves = 1.0 if self._train_theta else 0.0
        self._optimizer.apply([moves * gradient], [self._logits])
        if own:
            self._own_optimizer.apply(variance_gradients, own)
        return [index + 1]

    def relaxation(self) -> np.ndarray:
        """Returns pairs of u and c(z(u)), `[N, 2]`."""
        if self._estimator.control_variate is None:
            return np.zeros([0, 2])
        u = ((np.arange(_POINTS) + 0.5) / _POINTS)[:, np.newaxis]
        u = u.astype(np.float32)
        logits = tf.tile(self._logits[tf.newaxis], [_POINTS, 1])
        q = distributions.Bernoulli(logits=logits)
        draw = bernoulli_draw(logits, tf.constant(u), tf.constant(u))
        c = self._estimator.bind(q, draw, self._f)
        return np.stack([u[:, 0], c(draw.relaxed).numpy()], -1)

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


def _row(record: Mapping[str, np.ndarray], index: int) -> dict[str, Any]:
    return {
        "step": int(record["step"][index]),
        **{
            key: float(f"{record[key][index]:.8g}")
            for key in ("theta", "loss", "log_variance")
        },
    }
