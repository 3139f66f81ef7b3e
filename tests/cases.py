"""What the tests of estimators run over, by registration.

A registered estimator is tested with its defaults, at two numbers of samples,
on every family that it is valid for. Variants are a line in `METHODS`.
"""

from collections.abc import Callable
import dataclasses
import functools
import inspect
from typing import Any
import zlib

import numpy as np
import tensorflow as tf

import tf_relax as tfr
from tf_relax import control_variates as cv
from tf_relax import testing

tfrd = tfr.distributions

_WEIGHTS = (-1.5, 2.0)  # Of f's linear part: of the first and last unit.

# --- Distributions ---------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Family:
    """A distribution with the parameters of one example, and its f."""

    make: Callable[..., Any]
    discrete: bool
    event_ndims: int  # Axes of one joint draw: those that f reduces.
    parameters: dict[str, Any]

    def tensors(self, dtype=tf.float64):
        """Returns the parameters of one example, by name."""
        return {n: tf.constant(x, dtype) for n, x in self.parameters.items()}

    def rows(self, num_rows, tensors=None):
        """Returns the distribution of `num_rows` equal examples."""
        tensors = self.tensors() if tensors is None else tensors
        return self.make(
            **{
                name: tf.broadcast_to(x, [num_rows, *x.shape])
                for name, x in tensors.items()
            }
        )

    def f(self, b):
        """Not additive over units: a trick per unit cannot pass by luck."""
        x = self.flat(b)
        weights = np.linspace(*_WEIGHTS, x.shape[-1])
        linear = tf.tensordot(x, tf.constant(weights, x.dtype), 1)
        value = (linear - 0.499) ** 2 + x[..., 0] * x[..., 1]
        if self.discrete:  # The oracle of the others needs a quadratic f.
            value += 2.0 * x[..., 1] * x[..., -1] * (1.0 - x[..., -2])
        return value

    def flat(self, b):
        leading = tf.shape(b)[: b.shape.rank - self.event_ndims]
        size = int(np.prod(b.shape[b.shape.rank - self.event_ndims :]))
        return tf.reshape(b, tf.concat([leading, [size]], 0))

    def sine(self, b):
        """Not even quadratic in a unit."""
        return self.f(b) + tf.sin(self.f(b))

    def num_outcomes(self):
        """Returns how many joint outcomes the discrete units have."""
        draw = self.rows(1).draw((0, 0))
        units = int(tf.size(draw.log_prob(draw.sample)))
        return draw.atoms().shape[0] ** units

    def exact(self, f=None):
        """Returns the exact gradient of E[f(b)] by parameter."""
        if self.discrete:
            f = f or self.f
            return testing.exact_gradient(self.make(**self.tensors()), f)
        return _exact_normal(**self.parameters)

    def exact_bound(self, estimator, num_samples):
        """Returns that of the bound which K samples make, of discrete b."""

        def joint(b):  # The K samples are K units: all their outcomes.
            value = tf.stack(tf.unstack(self.f(b), axis=-1))
            return estimator.combine(value, None)

        copies = self.rows(num_samples)
        found = testing.exact_gradient(copies, joint)
        return {name: gradient.sum(0) for name, gradient in found.items()}


def _exact_normal(loc, **scale):
    """E[(w'b - t)^2 + b_0 b_1] is known for independent normal b."""
    [(scale_name, scale)] = scale.items()
    loc, scale = tf.constant(loc, tf.float64), tf.constant(scale, tf.float64)
    weights = tf.constant(np.linspace(*_WEIGHTS, int(tf.size(loc))))
    with tf.GradientTape() as tape:
        tape.watch([loc, scale])
        m, s = tf.reshape(loc, [-1]), tf.reshape(scale, [-1])
        linear = tf.reduce_sum(weights * m)
        variance = tf.reduce_sum(weights**2 * s**2)
        mean = (linear - 0.499) ** 2 + variance + m[0] * m[1]
    gradients = tape.gradient(mean, [loc, scale])
    return {"loc": gradients[0].numpy(), scale_name: gradients[1].numpy()}


def _independent(make):
    return lambda **parameters: tfrd.Independent(make(**parameters), 1)


_LOGITS = {"logits": [-3.0, -0.7, 0.4, 3.0]}
_LOGITS_8 = {"logits": [-3.0, 0.0, 0.5, 3.0, -0.2, -1.0, 1.0, 0.1]}
_PROBS = {"probs": [0.05, 0.33, 0.6, 0.9]}
_CLASS_LOGITS = {"logits": [[1.5, -1.0, 0.3, -1.5], [0.0, 1.0, -2.0, 0.5]]}
_CLASS_PROBS = {"probs": [[0.4, 0.15, 0.3, 0.15], [0.15, 0.4, 0.2, 0.25]]}
_NORMAL = {"loc": [0.5, -1.0, 0.2], "scale": [0.7, 0.4, 1.2]}
_NORMAL_DIAG = {"loc": [0.5, -1.0, 0.2], "scale_diag": [0.7, 0.4, 1.2]}
_NORMAL_DIAG_2 = {
    "loc": [[0.5, -1.0], [0.2, 0.1]],
    "scale_diag": [[0.7, 0.4], [1.2, 0.5]],
}

BASE_FAMILIES = {
    "bernoulli": Family(tfrd.Bernoulli, True, 1, _LOGITS),
    "categorical": Family(tfrd.OneHotCategorical, True, 2, _CLASS_LOGITS),
    "normal": Family(tfrd.Normal, False, 1, _NORMAL),
    "mvn_diag": Family(tfrd.MultivariateNormalDiag, False, 1, _NORMAL_DIAG),
}
OTHER_FAMILIES = {
    "bernoulli_8": Family(tfrd.Bernoulli, True, 1, _LOGITS_8),
    "bernoulli_probs": Family(tfrd.Bernoulli, True, 1, _PROBS),
    "categorical_probs": Family(tfrd.OneHotCategorical, True, 2, _CLASS_PROBS),
    "independent_bernoulli": Family(
        _independent(tfrd.Bernoulli), True, 1, _LOGITS
    ),
    "independent_categorical": Family(
        _independent(tfrd.OneHotCategorical), True, 2, _CLASS_LOGITS
    ),
    "independent_normal": Family(_independent(tfrd.Normal), False, 1, _NORMAL),
    "independent_mvn_diag": Family(
        _independent(tfrd.MultivariateNormalDiag), False, 2, _NORMAL_DIAG_2
    ),
}
FAMILIES = BASE_FAMILIES | OTHER_FAMILIES

# --- Control variates ------------------------------------------------------


def _unhelpful(family):
    def control_variate(z):
        z = family.flat(z)
        wiggly = tf.reduce_sum(tf.sin(2.0 * z), -1)
        return 0.6 * wiggly + 0.2 * z[..., 0] * z[..., 1]

    return control_variate


def _good(family):
    if family.discrete:
        return cv.RelaxedFunction(0.5)
    return lambda b: 0.9 * family.f(b) + 0.1 * family.flat(b)[..., 0]


CONTROL_VARIATES = {
    "zero": lambda family: lambda z: 0.0 * family.flat(z)[..., 0],
    "good": _good,
    "unhelpful": _unhelpful,
    "network": lambda family: cv.Network(
        (6,), "tanh", event_ndims=family.event_ndims, seed=1
    ),
    # For those that take none, and for REBAR, whose it is the temperature.
    "none": lambda family: None,
    "cold": lambda family: 0.3,
    "warm": lambda family: 1.5,
    # For those that must know how many axes a joint draw has.
    "event_ndims": lambda family: family.event_ndims,
}
_C = ("zero", "good", "unhelpful", "network")

# --- Estimators ------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Method:
    """An estimator with what it is valid for."""

    make: Callable[[Any], Any]  # Of a control variate.
    control_variates: tuple[str, ...] = ("none",)  # The last: for few tests.
    num_samples: int = 1


def _with_moving_average(_):
    baseline = tfr.estimators.MovingAverage(0.9)
    baseline.update(tf.constant(1.7))
    return tfr.Reinforce(baseline)


def _nvil(_):
    """As trained for a while: its averages are of other draws."""
    estimator = tfr.NVIL()
    for average, value in zip(estimator.averages, (1.7, 4.0), strict=True):
        average.update(tf.constant(value))
    return estimator


def _rodeo_with_network(_):
    """As trained for a while: its network starts at 0."""
    estimator = tfr.RODEO(hidden=4)
    estimator.surrogate.network[-1].assign([0.7, -0.4, 0.5, 0.3])
    return estimator


def _relax_independent(c):
    return tfr.RELAX(c, coupled=False)


def _beta(start):
    """As trained for a while, and exact where derivatives are checked."""
    return tfr.estimators.Coefficient(start, dtype="float64")


_VARIANTS = {
    "reinforce_moving_average": Method(_with_moving_average),
    "arms_k3": Method(lambda _: tfr.ARMS(), num_samples=3),
    "carms_k3": Method(lambda _: tfr.CARMS(), num_samples=3),
    "double_cv_free_form_k2": Method(
        lambda c: tfr.DoubleCV(control_variate=c), _C, num_samples=2
    ),
    "rodeo_network_k3": Method(_rodeo_with_network, num_samples=3),
    "nvil": Method(_nvil),
    "nvil_k3": Method(_nvil, num_samples=3),
    "relax_independent": Method(_relax_independent, _C),
    "relax_k_k2": Method(
        lambda c: tfr.RELAXK(c, _beta(0.7)), ("zero", "network"), 2
    ),
    "relax_k_k4": Method(
        lambda c: tfr.RELAXK(c, _beta(-0.4), coupled=False),
        ("zero", "unhelpful"),
        4,
    ),
    "relax_disarm_k2": Method(
        lambda c: tfr.RELAXDisARM(c, _beta(0.6)), ("zero", "good", "network"), 2
    ),
    "relax_disarm_k4": Method(
        lambda c: tfr.RELAXDisARM(c, _beta(0.6)), ("zero", "unhelpful"), 4
    ),
    "rebar_k_k2": Method(lambda t: tfr.REBARK(t, beta=0.7), ("cold",), 2),
    "rebar_k_k4": Method(lambda t: tfr.REBARK(t, beta=0.7), ("warm",), 4),
    "rebar": Method(tfr.REBAR, ("cold", "warm")),
    "rebar_independent": Method(
        lambda temperature: tfr.REBAR(temperature, coupled=False),
        ("cold", "warm"),
    ),
}


def _classes(biased):
    """Yields (name, class, names of its arguments) of what is registered."""
    for name in tfr.estimators.names():
        kind = tfr.estimators.class_of(name)
        if kind.biased == biased:
            yield name, kind, inspect.signature(kind).parameters


def _registered():
    """Yields (name, Method) of each unbiased estimator, by its defaults."""
    for name, kind, arguments in _classes(biased=False):
        method = Method(lambda _, kind=kind: kind())
        if "event_ndims" in arguments:
            method = Method(kind, ("event_ndims",))
        elif any(x.default is x.empty for x in arguments.values()):
            method = Method(kind, _C)
        few = kind.min_samples
        for num_samples in (few, 2 * few if few > 1 else 3):
            suffix = "" if num_samples == 1 else f"_k{num_samples}"
            yield (
                name + suffix,
                dataclasses.replace(method, num_samples=num_samples),
            )


METHODS = dict(_registered()) | _VARIANTS

# Estimators of another gradient: (made of a temperature, temperatures).
BIASED = {
    name: (kind, (0.1, 0.5, 1.0))
    if "temperature" in arguments
    else (lambda _, kind=kind: kind(), ("",))
    for name, kind, arguments in _classes(biased=True)
}

# --- Running them ----------------------------------------------------------

NUM_DRAWS = 200_000
_FEW_DRAWS = 50_000  # Enough for most.
LOOKS = 2  # At these and those; they share the rate of false failures.
_MOST_EVALUATED = 2**21  # Of outcomes that one test looks at.

# Without AutoGraph, which would rewrite the library first. Users' functions
# have it: see test_tfp.
_graph = functools.partial(tf.function, autograph=False)
MODES = {
    "eager": lambda function: function,
    "graph": _graph,
    "xla": functools.partial(_graph, jit_compile=True),
}


def estimator_of(method, family, control_variate):
    """Returns a fresh estimator by names of `METHODS` and so on."""
    c = CONTROL_VARIATES[control_variate](FAMILIES[family])
    return METHODS[method].make(c)


def draw_gradients(
    estimator,
    family,
    seed,
    *,
    mode="eager",
    num_samples=None,
    dtype=tf.float64,
    f=None,
    num_draws=NUM_DRAWS,
):
    """Returns so many estimates of one example's gradient, by parameter.

    Fewer of an estimator that looks at all joint outcomes.
    """
    looks_at = 1
    if hasattr(estimator, "event_ndims"):
        looks_at = family.num_outcomes()
    num_draws = min(num_draws, _MOST_EVALUATED // looks_at)

    @MODES[mode]
    def draw(seed, parameters):
        return estimator.estimate(
            f or family.f,
            family.rows(num_draws, parameters),
            seed=seed,
            num_samples=num_samples,
        ).gradients

    # As arguments: XLA would fold constants of this size for seconds.
    return draw(seed, family.tensors(dtype))


def assert_unbiased(draw, exact, *, num_tests=1, **rates):
    """Asserts it of few draws, or of more where few would not show a bias.

    How many there are depends on their spread, not on their mean.

    Args:
      draw: function of the number of draws.
      exact: see `testing.assert_unbiased`.
      num_tests: as well.
      **rates: as well.

    Returns:
      The draws that sufficed.
    """
    rates |= {"num_tests": LOOKS * num_tests}
    draws = draw(_FEW_DRAWS)
    try:
        testing.assert_unbiased(draws, exact, **rates)
    except testing.TooFewDrawsError:
        draws = draw(NUM_DRAWS)
        testing.assert_unbiased(draws, exact, **rates)
    return draws


@functools.cache
def _draw_of(family):
    return FAMILIES[family].rows(1).draw((0, 0))


@functools.cache
def example(method):
    """Returns an estimator, to look at."""
    c = METHODS[method].control_variates[-1]
    return estimator_of(method, "bernoulli", c)


def pairs(families=FAMILIES):
    """Yields the names (method, family) that are valid together.

    Of bounds, those whose joint outcomes can be counted out.
    """
    for name in METHODS:
        for family in families:
            if isinstance(_draw_of(family), example(name).needs):
                x = FAMILIES[family]
                if not is_bound(name) or (
                    x.discrete
                    and x.num_outcomes() ** METHODS[name].num_samples <= 2**16
                ):
                    yield name, family


def is_bound(method):
    """Returns whether an estimator is of a bound of several samples."""
    return isinstance(example(method), tfr.estimators.BoundEstimator)


@functools.cache
def exact_of(method, family):
    """Returns the exact gradient of what an estimator is of."""
    if is_bound(method):
        num_samples = METHODS[method].num_samples
        return FAMILIES[family].exact_bound(example(method), num_samples)
    return FAMILIES[family].exact()


def seed_of(*names, vary_seed=0):
    """Returns a stateless seed that is the same in every process."""
    text = "-".join(map(str, names))
    return tf.constant([vary_seed, zlib.crc32(text.encode()) % 2**31])
