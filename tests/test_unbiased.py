"""Every estimator is unbiased: mean of draws against the exact gradient."""

import cases
import numpy as np
import pytest

import tf_relax as tfr
from tf_relax import testing

# Chance that correct estimators fail anywhere in this file.
_FALSE_FAIL_RATE = 1e-6
# A bias of this part of the gradient's norm would be seen, or the test fails.
_DETECTS = 0.3


def _all_cases():
    """Yields (method, family, control variate, mode, dtype), by name.

    All control variates for the base families, and one for the others, eagerly:
    a trace takes longer than the draws. One in a graph, and one in float32, by
    XLA if the samples are few.
    """
    for method, family in cases.pairs(cases.BASE_FAMILIES):
        names = cases.METHODS[method].control_variates
        for c in names:
            yield method, family, c, "eager", "float64"
        few = cases.METHODS[method].num_samples <= 2
        if few:
            yield method, family, names[-1], "graph", "float64"
        yield method, family, names[-1], "xla" if few else "eager", "float32"
    for method, family in cases.pairs(cases.OTHER_FAMILIES):
        if cases.METHODS[method].num_samples <= 3:
            c = cases.METHODS[method].control_variates[-1]
            yield method, family, c, "eager", "float64"


_CASES = list(_all_cases())


@pytest.mark.parametrize("case", _CASES, ids="-".join)
def test_unbiased(case, vary_seed, record_property):
    method, family, control_variate, mode, dtype = case
    exact = cases.exact_of(method, family)
    draws = cases.assert_unbiased(
        lambda num_draws: cases.draw_gradients(
            cases.estimator_of(method, family, control_variate),
            cases.FAMILIES[family],
            cases.seed_of(*case, vary_seed=vary_seed),
            mode=mode,
            num_samples=cases.METHODS[method].num_samples,
            dtype=dtype,
            num_draws=num_draws,
        ),
        exact,
        detects=_DETECTS,
        false_fail_rate=_FALSE_FAIL_RATE,
        num_tests=len(_CASES),
    )
    z = testing.z_scores(draws, exact)
    for name, found in {
        "estimator": method,
        "distribution": family,
        "control_variate": control_variate,
        "mode": mode,
        "dtype": dtype,
        "draws": len(next(iter(draws.values()))),
        "largest_abs_z": float(np.abs(z).max()),
        "critical_abs_z": testing.critical_z(
            z.size,
            false_fail_rate=_FALSE_FAIL_RATE,
            num_tests=cases.LOOKS * len(_CASES),
        ),
    }.items():
        record_property(name, found)


def test_every_estimator_is_in_the_list():
    tested = {type(cases.estimator_of(*case[:3])) for case in _CASES}
    known = {x for x in vars(tfr.estimators).values() if isinstance(x, type)}
    known = {x for x in known if issubclass(x, tfr.Estimator)}
    biased = {x for x in known if x.biased}
    bases = {tfr.Estimator, tfr.estimators.BoundEstimator}
    # Its f contains log q: see test_bounds.
    assert tested == known - bases - {tfr.DReG} - biased
    assert biased == {type(make(1.0)) for make, _ in cases.BIASED.values()}


def test_every_distribution_is_in_the_list():
    tested = {type(family.rows(1)) for family in cases.FAMILIES.values()}
    known = {getattr(tfr.distributions, n) for n in tfr.distributions.__all__}
    # Chains have a file of their own, test_chain.
    others = {tfr.distributions.GradientMethods, tfr.distributions.Chain}
    assert tested == known - others
