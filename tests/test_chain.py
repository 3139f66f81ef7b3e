"""Several stochastic layers: estimates against sums over all outcomes."""

import itertools

import cases
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import control_variates as cv
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


def _draws(estimators, num_layers, seed, num_samples=None, mode="graph"):
    """Returns `cases.NUM_DRAWS` estimates by each parameter, as a dict."""

    @cases.MODES[mode]
    def draw(seed, parameters):
        rows = [
            tf.broadcast_to(x, [cases.NUM_DRAWS, *x.shape]) for x in parameters
        ]
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
}
_CASES = [
    *((name, 2, None, mode) for name in _ESTIMATORS for mode in ("graph",)),
    ("rebar", 2, None, "xla"),
    ("relax", 2, None, "eager"),
    ("relax_independent", 2, None, "xla"),
    ("rebar", 3, None, "graph"),
    ("relax", 3, None, "graph"),
    ("relax_independent", 3, None, "graph"),
    ("muprop", 3, None, "graph"),
    ("relax", 2, 2, "graph"),
    ("rebar_independent", 2, 2, "graph"),
    ("leave_one_out", 2, 2, "graph"),
    ("leave_one_out", 3, 3, "graph"),
]


def _make(name, num_layers):
    make = _ESTIMATORS.get(name, lambda i: tfr.estimators.get(name))
    return [make(i) for i in range(num_layers)]


@pytest.mark.parametrize("case", _CASES, ids=lambda c: "-".join(map(str, c)))
def test_chain_is_unbiased(case, vary_seed):
    name, num_layers, num_samples, mode = case
    draws = _draws(
        _make(name, num_layers),
        num_layers,
        cases.seed_of(*case, vary_seed=vary_seed),
        num_samples,
        mode,
    )
    testing.assert_unbiased(
        draws,
        _named(_exact(num_layers)),
        detects=_DETECTS,
        false_fail_rate=_FALSE_FAIL_RATE,
        num_tests=len(_CASES),
    )
