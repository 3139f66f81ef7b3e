"""Several stochastic layers: estimates against sums over all outcomes."""

import itertools

import cases
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import control_variates as cv
from tf_relax import relaxations
from tf_relax import testing

tfrd = tfr.distributions

_FALSE_FAIL_RATE = 1e-6  # That a right estimator fails in this file.
_DETECTS = 0.3
_SEED = (5, 7)
_UNITS = 3


def _parameters(num_layers):
    """Returns the first layer's logits, then a kernel and a bias a layer."""
    rng = np.random.default_rng(num_layers)
    first = [tf.constant([-0.8, 0.3, 1.1], tf.float64)]
    for _ in range(num_layers - 1):
        first.append(tf.constant(rng.normal(size=[_UNITS, _UNITS])))
        first.append(tf.constant(0.5 * rng.normal(size=[_UNITS])))
    return first


def _given(kernel, bias):
    """Returns q(above | below), of `[N, 3, 3]` and `[N, 3]` parameters."""

    def conditional(below):
        product = tf.linalg.matvec(kernel, 2.0 * below - 1.0, transpose_a=True)
        return tfrd.Bernoulli(logits=product + bias)

    return conditional


def _chain(parameters):
    first, *rest = parameters
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return tfrd.Chain(
        tfrd.Bernoulli(logits=first), *(_given(*pair) for pair in pairs)
    )


def _f(*samples):
    """Ties the layers together; additive in nothing."""
    x = tf.concat(samples, -1)
    weights = np.linspace(-1.5, 2.0, x.shape[-1])
    linear = tf.tensordot(x, tf.constant(weights, x.dtype), 1)
    value = (linear - 0.499) ** 2 + 2.0 * x[..., 0] * x[..., -1]
    for below, above in itertools.pairwise(samples):
        value += 3.0 * below[..., 1] * above[..., 2] * (1.0 - above[..., 0])
    return value


def _exact(num_layers):
    """Returns the gradient of E[f] by all parameters, over all outcomes."""
    parameters = _parameters(num_layers)
    size = num_layers * _UNITS
    bits = tf.constant(list(itertools.product([0.0, 1.0], repeat=size)))
    samples = tf.split(tf.cast(bits, tf.float64), num_layers, -1)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        chain = _chain(parameters)
        log_p = tf.reduce_sum(chain.first.log_prob(samples[0]), -1)
        for conditional, (below, above) in zip(
            chain.conditionals, itertools.pairwise(samples), strict=True
        ):
            log_p += tf.reduce_sum(conditional(below).log_prob(above), -1)
        mean = tf.reduce_sum(tf.exp(log_p) * _f(*samples))
    return tape.gradient(mean, parameters)


def _draws(
    estimators,
    num_layers,
    seed,
    num_samples=None,
    mode="eager",
    num_draws=cases.NUM_DRAWS,
):
    """Returns so many estimates by each parameter, as a dict."""

    @cases.MODES[mode]
    def draw(seed, parameters):
        rows = [tf.broadcast_to(x, [num_draws, *x.shape]) for x in parameters]
        with tf.GradientTape() as tape:
            tape.watch(rows)
            loss = tfr.expectation(
                _f,
                _chain(rows),
                estimator=estimators,
                seed=seed,
                num_samples=num_samples,
            )
        return tape.gradient(loss, rows)

    return _named(draw(seed, _parameters(num_layers)))


def _named(tensors):
    return {str(i): np.asarray(x) for i, x in enumerate(tensors)}


def _free_form(layer):
    network = cv.Network((5,), "tanh", seed=layer)
    return cv.Scaled(cv.RelaxedFunction(0.4 + 0.3 * layer) + network, 0.8)


_ESTIMATORS = {
    "rebar": lambda i: tfr.REBAR(0.4 + 0.3 * i, 0.9),
    "rebar_independent": lambda i: tfr.REBAR(0.4 + 0.3 * i, coupled=False),
    "relax": lambda i: tfr.RELAX(_free_form(i)),
    "relax_independent": lambda i: tfr.RELAX(_free_form(i), coupled=False),
    "relax_network": lambda i: tfr.RELAX(cv.Network((5,), "tanh", seed=i)),
    "dlax": lambda i: tfr.DLAX(_free_form(i)),
    "muprop": lambda i: tfr.MuProp(),
    "reinforce": lambda i: tfr.Reinforce(),
    "nvil": lambda i: tfr.NVIL(),
    "local_expectation": lambda i: tfr.LocalExpectation(),
    "double_cv": lambda i: tfr.DoubleCV(),
    # Coupled in the first layer, by another above it.
    "disarm": lambda i: tfr.LeaveOneOut() if i else tfr.DisARM(),
    "arms": lambda i: tfr.DoubleCV() if i else tfr.ARMS(),
    "enumeration": lambda i: tfr.LocalExpectation() if i else tfr.Enumeration(),
    "unordered_set": lambda i: tfr.LeaveOneOut() if i else tfr.UnorderedSet(),
}
_CASES = [
    *((name, 2, None, "eager") for name in _ESTIMATORS),
    ("rebar", 2, None, "xla"),
    ("relax", 2, None, "graph"),
    ("relax_independent", 2, None, "xla"),
    ("rebar", 3, None, "eager"),
    ("relax", 3, None, "eager"),
    ("relax_independent", 3, None, "eager"),
    ("muprop", 3, None, "eager"),
    ("relax", 2, 2, "eager"),
    ("rebar_independent", 2, 2, "graph"),
    ("leave_one_out", 2, 2, "eager"),
    ("leave_one_out", 3, 3, "graph"),
    ("local_expectation", 2, None, "xla"),
    ("local_expectation", 3, 2, "eager"),
    ("double_cv", 3, 3, "eager"),
    ("disarm", 2, 4, "xla"),
    ("unordered_set", 2, 3, "eager"),
]


def _make(name, num_layers):
    make = _ESTIMATORS.get(name, lambda i: tfr.estimators.get(name))
    return [make(i) for i in range(num_layers)]


@pytest.mark.parametrize("case", _CASES, ids=lambda c: "-".join(map(str, c)))
def test_chain_is_unbiased(case, vary_seed):
    name, num_layers, num_samples, mode = case
    cases.assert_unbiased(
        lambda num_draws: _draws(
            _make(name, num_layers),
            num_layers,
            cases.seed_of(*case, vary_seed=vary_seed),
            num_samples,
            mode,
            num_draws,
        ),
        _named(_exact(num_layers)),
        detects=_DETECTS,
        false_fail_rate=_FALSE_FAIL_RATE,
        num_tests=len(_CASES),
    )


def test_concrete_of_a_chain_is_plain_differentiation():
    parameters = _parameters(2)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        loss = tfr.expectation(
            _f,
            _chain([x[tf.newaxis] for x in parameters]),
            estimator=[tfr.Concrete(0.4), tfr.Concrete(0.4)],
            seed=_SEED,
        )
    found = tape.gradient(loss, parameters)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        chain = _chain([x[tf.newaxis] for x in parameters])
        first = tf.sigmoid(chain.first.draw(_SEED).relaxed / 0.4)
        conditional = chain.conditionals[0](first)
        second = conditional.draw(relaxations.fold_seed(_SEED, 1)).relaxed
        relaxed = _f(first, tf.sigmoid(second / 0.4))
    for a, b in zip(found, tape.gradient(relaxed, parameters), strict=True):
        # The temperature is kept as a logarithm in float32.
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize(
    "second", [tfr.Concrete(0.1), tfr.Reinforce()], ids=["colder", "hard"]
)
def test_relaxed_and_hard_layers_do_not_mix(second):
    with pytest.raises(ValueError, match="all at relaxed"):
        tfr.expectation(
            _f,
            _chain(_parameters(2)),
            estimator=[tfr.Concrete(0.5), second],
            seed=_SEED,
        )


def _expectation(conditional, estimators=None, f=None):
    return tfr.expectation(
        f or (lambda a, b: tf.reduce_sum(a, -1) * tf.reduce_sum(b, -1)),
        tfrd.Chain(tfrd.Bernoulli(logits=tf.zeros([4, 3])), conditional),
        estimator=estimators or [tfr.Reinforce(), tfr.Reinforce()],
        seed=_SEED,
    )


@pytest.mark.parametrize(
    ("error", "message", "conditional", "estimators"),
    [
        (TypeError, "tf_relax.distributions", lambda b: b, None),
        (
            ValueError,
            "layer 2 with sample shape",
            lambda b: tfrd.Bernoulli(logits=tf.zeros([5, 2])),
            None,
        ),
        (
            TypeError,
            r"ARMS couples .*estimator=\[ARMS\(\), LeaveOneOut\(\)\]",
            lambda b: tfrd.Bernoulli(logits=b),
            [tfr.ARMS(), tfr.ARMS()],
        ),
        (
            TypeError,
            "must be discrete",
            lambda b: tfrd.Normal(b, 1.0),
            [tfr.REBAR(), tfr.Reinforce()],
        ),
    ],
    ids=["tensor", "batch", "coupled", "normal"],
)
def test_wrong_layers_are_named(error, message, conditional, estimators):
    f = (
        (lambda a, b: tf.reduce_sum(a, -1))
        if "sample shape" in message
        else None
    )
    with pytest.raises(error, match=message):
        _expectation(conditional, estimators, f)


def test_a_chain_is_no_distribution_for_one_estimator():
    chain = _chain(_parameters(2))
    with pytest.raises(TypeError, match=r"expectation\(f, chain"):
        tfr.REBAR().estimate(_f, chain, seed=_SEED)
    with pytest.raises(TypeError, match="`first` must be one of"):
        tfrd.Chain(tf.zeros([3]))
    with pytest.raises(TypeError, match="must be functions"):
        tfrd.Chain(chain.first, chain.first)


class _PairOfNoise(cv.LayerFunction):
    """A mutant: the layers above get fresh hard samples, without a slope."""

    def relaxed(self, sample, inverse_temperature):
        samples = [tf.round(sample)]
        for conditional, seed in self.above:
            samples.append(conditional(samples[-1]).draw(seed).sample)
        return self.f(*self.below, *samples) + tf.reduce_sum(sample, -1)


def test_a_control_variate_with_steps_is_caught(monkeypatch):
    from tf_relax.estimators import _layers

    monkeypatch.setattr(_layers, "LayerFunction", _PairOfNoise)
    draws = _draws(_make("rebar", 2), 2, cases.seed_of("mutant"))
    with pytest.raises(AssertionError, match="Biased in"):
        testing.assert_unbiased(draws, _named(_exact(2)), detects=_DETECTS)
