"""How often an estimator evaluates f, and whether it differentiates it."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf_relax.control_variates import NotDifferentiableError
from tf_relax.diagnostics._case import Case
from tf_relax.diagnostics._case import Terms


def evaluations(case: Case) -> float:
    """Returns how many values of f an example costs, counted as they come.

    Those at relaxed samples and at means count like those at hard ones.
    """
    terms = case.terms()
    first = getattr(terms.distribution, "first", terms.distribution)
    of_one = first.draw((0, 0)).sample.shape.num_elements()
    counted: list[int] = []

    def f(*samples: Any) -> Any:
        counted.append(samples[0].shape.num_elements())
        return terms.f(*samples)

    _examples(case, terms._replace(f=f))
    return sum(counted) / of_one


def needs_derivative(case: Case) -> bool:
    """Returns whether it refuses an f that no tape sees into."""
    terms = case.terms()

    def f(*samples: Any) -> Any:
        return terms.f(*(tf.stop_gradient(b) for b in samples))

    try:
        _examples(case, terms._replace(f=f))
    except NotDifferentiableError:
        return True
    return False


def fits(case: Case) -> bool:
    """Returns whether a `case` can be measured: its estimators are valid."""
    try:
        _examples(case, case.terms())
    except (TypeError, ValueError):
        return False
    return True


def _examples(case: Case, terms: Terms) -> None:
    """Draws once, eagerly: each evaluation is a call."""
    dataclasses.replace(case, terms=lambda: terms).examples((0, 0))
