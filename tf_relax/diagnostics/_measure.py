"""Several estimators on the same batch: variance, noise, bias and time."""

from collections.abc import Callable, Sequence
import time
from typing import Any, NamedTuple

from absl import logging
import numpy as np
import tensorflow as tf

from tf_relax.control_variates import NotDifferentiableError
from tf_relax.diagnostics import _statistics
from tf_relax.diagnostics._case import Case
from tf_relax.diagnostics._case import reference_of
from tf_relax.diagnostics._draws import Draws
from tf_relax.diagnostics._draws import meter
from tf_relax.diagnostics._evaluations import evaluations
from tf_relax.diagnostics._evaluations import needs_derivative
from tf_relax.estimators._estimator import raw
from tf_relax.relaxations import fold_seed

NEEDS_DERIVATIVE = "needs the derivative of f"
_REFERENCE, _TIMED = 1, 2  # Salts that keep the random streams apart.


class Measurement(NamedTuple):
    """One estimator; a quantity that could not be had is None.

    Variances are of one example's gradient by the distribution's parameters,
    in squared units of f by parameter (nats^2 by the logits of an ELBO).
    """

    estimator: str
    num_samples: int
    f_evaluations: float | None = None  # An example, relaxed ones included.
    needs_derivative: bool | None = None  # Of f.
    gradient_variance: float | None = None  # Trace, mean over the examples.
    standard_error: float | None = None  # Of that.
    signal_to_noise: float | None = None  # ||E g|| / sqrt(tr Cov g), batch.
    bias_z: float | None = None  # Standard normal without a bias. NaN in a
    # chain whose reference has another number of samples.
    relative_bias: float | None = None  # ||bias|| / ||gradient||; noisy.
    milliseconds: float | None = None  # Median, of a whole gradient.
    variance_time: float | None = None  # Variance times milliseconds.
    note: str = ""  # Why something is missing.


def measure(
    cases: Sequence[Case],
    *,
    reference: Case | None = None,
    num_draws: int = 400,
    reference_draws: int = 400,
    rounds: int = 20,
    control_variate_every: int = 1,
    seed: Any = (0, 0),
    jit_compile: bool = True,
) -> list[Measurement]:
    """Measures estimators at one expectation, all on the same batch.

    The time is that of a gradient as training takes it: draws, f, and the
    derivatives by all that `Case.variables` and the estimators learn; no
    optimizer. Every round runs every case once, so that a machine whose speed
    drifts slows them alike. What the estimators have learned is left as it
    is.

    Args:
      cases: see `cases` and `cases_of_models`. One that does not fit, or that
        needs the derivative of an f that has none, gets a note in the place
        of numbers.
      reference: an unbiased case for `bias_z`. Default: enumeration, where
        the first case's batch has few joint outcomes, else local expectation
        or, of a chain or what is continuous, leave-one-out.
      num_draws: of each estimator's gradient; beyond 80 rounded up to
        multiples of that.
      reference_draws: likewise, of the reference's.
      rounds: of the timing; 0 leaves the times out.
      control_variate_every: n; the time is the mean over n steps, in the first
        of which the estimators learn.
      seed: stateless seed, two integers.
      jit_compile: False if f is not TensorFlow: XLA cannot compile it.

    Returns:
      A measurement for each case, in order.

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> named = {"relax": tfr.REBAR(), "reinforce": tfr.Reinforce()}
      >>> first, second = measure(
      ...     tfr.diagnostics.cases(f, q, named), jit_compile=False)
      >>> first.gradient_variance < second.gradient_variance
      True
      >>> second.f_evaluations, second.needs_derivative
      (1.0, False)
    """
    found = [_counted(case) for case in cases]
    fit = [i for i, x in enumerate(found) if x.f_evaluations is not None]
    if not fit:
        return found
    reference = reference or reference_of(cases[fit[0]])
    logging.info("Reference: %s.", reference.name)
    against = meter(reference, reference_draws, jit_compile)(
        fold_seed(seed, _REFERENCE)
    )
    for i in fit:
        draws = meter(cases[i], num_draws, jit_compile)(seed)
        found[i] = found[i]._replace(**statistics(draws, against))
        logging.info(
            "%s, %d samples: variance %.4g, z of the bias %.1f.",
            found[i].estimator,
            found[i].num_samples,
            found[i].gradient_variance,
            found[i].bias_z,
        )
    own = [cases[i] for i in fit]
    times = _milliseconds(
        own,
        rounds,
        control_variate_every,
        fold_seed(seed, _TIMED),
        jit_compile,
    )
    for i, milliseconds in zip(fit, times, strict=False):
        product = milliseconds * (found[i].gradient_variance or 0.0)
        found[i] = found[i]._replace(
            milliseconds=milliseconds, variance_time=product
        )
    return found


def statistics(draws: Draws, reference: Draws) -> dict[str, Any]:
    """Returns what draws say of an estimator, by name."""
    variance, error = _statistics.variance(draws)
    found = {
        "gradient_variance": variance,
        "standard_error": error,
        "signal_to_noise": _statistics.signal_to_noise(draws),
    }
    # Above the first layer of a chain each sample has parameters of its own:
    # other numbers of samples cannot be compared.
    if draws.means.shape[1:] != reference.means.shape[1:]:
        return found | {"bias_z": np.nan, "relative_bias": np.nan}
    bias = _statistics.bias(draws, reference)
    return found | {"bias_z": bias.z, "relative_bias": bias.relative}


def _counted(case: Case) -> Measurement:
    """Returns the evaluations of f, or why there are none."""
    one = Measurement(case.name, case.num_samples)
    try:
        return one._replace(
            f_evaluations=evaluations(case),
            needs_derivative=needs_derivative(case),
        )
    except NotDifferentiableError:
        return one._replace(needs_derivative=True, note=NEEDS_DERIVATIVE)
    except (TypeError, ValueError) as error:
        return one._replace(note=f"does not fit: {error}")


def _milliseconds(
    cases: Sequence[Case],
    rounds: int,
    every: int,
    seed: Any,
    jit_compile: bool,
) -> list[float]:
    """Returns the time of each case's gradient; none of no rounds.

    Medians of the rounds; of two kinds of steps, their mean.
    """
    if not rounds:
        return []
    kept = [(v, v.numpy()) for c in cases for x in c.layers for v in x.weights]
    programs = {
        (i, learns): _program(case, learns, jit_compile)
        for i, case in enumerate(cases)
        for learns in (True, False)
        if learns or (every > 1 and case.learned)
    }
    seconds: dict[tuple[int, bool], list[float]] = {x: [] for x in programs}
    for number in range(rounds + 1):
        for key, program in programs.items():
            begin = time.perf_counter()
            program(fold_seed(seed, number)).numpy()
            seconds[key].append(time.perf_counter() - begin)
    for variable, value in kept:  # Moving averages learn by being used.
        variable.assign(value)
    # The first round compiles.
    median = {key: 1e3 * float(np.median(x[1:])) for key, x in seconds.items()}
    first = [median[i, True] for i in range(len(cases))]
    others = [median.get((i, False), x) for i, x in enumerate(first)]
    return [
        (x + (every - 1) * y) / every
        for x, y in zip(first, others, strict=True)
    ]


def _program(
    case: Case, learns: bool, jit_compile: bool
) -> Callable[[Any], tf.Tensor]:
    trained = raw([*case.variables, *(case.learned if learns else [])])

    @tf.function(jit_compile=jit_compile, autograph=False)
    def program(seed: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            loss = case.loss(seed, learns)
        gradients = tape.gradient(
            loss, trained, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        # One number that needs them all: none is left out or copied.
        return sum(tf.reduce_sum(g) for g in gradients)

    return program
