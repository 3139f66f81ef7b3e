"""Every estimator is unbiased: mean of draws against the exact gradient."""

import itertools

import cases
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import testing

# Chance that correct estimators fail anywhere in this file.
_FALSE_FAIL_RATE = 1e-6
# A bias of this part of the gradient's norm would be seen, or the test fails.
_DETECTS = 0.3
_ROWS = 200_000


def _all_cases():
    """Yields (method, family, control variate, mode, dtype), by name.

    All of them for the base families; of the others, and in float32, one
    control variate in graph mode.
    """
    for method, family in cases.pairs(cases.BASE_FAMILIES):
        names = cases.METHODS[method].control_variates
        for c, mode in itertools.product(names, cases.MODES):
            yield method, family, c, mode, "float64"
        yield method, family, names[-1], "graph", "float32"
    for method, family in cases.pairs(cases.OTHER_FAMILIES):
        c = cases.METHODS[method].control_variates[-1]
        yield method, family, c, "graph", "float64"


_CASES = list(_all_cases())


def _draw(method, family, control_variate, mode, dtype, seed):
    """Returns `_ROWS` estimates of one example's gradient, by parameter."""
    estimator = cases.estimator_of(method, family, control_variate)
    family = cases.FAMILIES[family]

    @cases.MODES[mode]
    def draw(seed, parameters):
        return estimator.estimate(
            family.f,
            family.rows(_ROWS, parameters),
            seed=seed,
            num_samples=cases.METHODS[method].num_samples,
        ).gradients

    # As arguments: XLA would fold constants of this size for seconds.
    return draw(seed, family.tensors(dtype))


@pytest.mark.parametrize("case", _CASES, ids="-".join)
def test_unbiased(case, vary_seed, record_property):
    draws = _draw(*case, cases.seed_of(*case, vary_seed=vary_seed))
    exact = cases.FAMILIES[case[1]].exact()
    rates = {"false_fail_rate": _FALSE_FAIL_RATE, "num_tests": len(_CASES)}
    size = sum(x.size for x in exact.values())
    for name, found in {
        **dict(zip(_RECORDED, case, strict=True)),
        "largest_abs_z": float(np.abs(testing.z_scores(draws, exact)).max()),
        "critical_abs_z": testing.critical_z(size, **rates),
        "draws": _ROWS,
    }.items():
        record_property(name, found)
    testing.assert_unbiased(draws, exact, detects=_DETECTS, **rates)


_RECORDED = ("estimator", "distribution", "control_variate", "mode", "dtype")


def test_every_estimator_and_distribution_is_in_the_list():
    tested = {
        type(cases.estimator_of(method, family, c))
        for method, family, c, _, _ in _CASES
    }
    known = {getattr(tfr.estimators, n) for n in tfr.estimators.__all__}
    known = {x for x in known if isinstance(x, type)}
    known = {x for x in known if issubclass(x, tfr.Estimator)}
    assert tested == known - {tfr.Estimator}
