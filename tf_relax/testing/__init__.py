"""Proof that an estimator is unbiased: exact gradients and a z-test.

For tests of your own distributions, control variates and estimators:

    draws = q_of_many_equal_rows.relax_gradient(f, c, seed=seed).gradients
    assert_unbiased(draws, exact_gradient(q_of_one_row, f))
"""

from tf_relax.testing._oracle import exact_expectation
from tf_relax.testing._oracle import exact_gradient
from tf_relax.testing._unbiased import assert_unbiased
from tf_relax.testing._unbiased import critical_z
from tf_relax.testing._unbiased import TooFewDrawsError
from tf_relax.testing._unbiased import z_scores

__all__ = [
    "TooFewDrawsError",
    "assert_unbiased",
    "critical_z",
    "exact_expectation",
    "exact_gradient",
    "z_scores",
]
