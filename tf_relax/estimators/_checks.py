"""Whether an estimator is valid for a distribution; else, which one is."""

from collections.abc import Mapping
import operator
from typing import Any

import tensorflow as tf

from tf_relax.relaxations import BernoulliDraw
from tf_relax.relaxations import CategoricalDraw
from tf_relax.relaxations import Draw
from tf_relax.relaxations import PathwiseDraw
from tf_relax.relaxations import RelaxedDraw

_NEEDS: dict[type[Draw], str] = {
    PathwiseDraw: "a continuous, reparameterised distribution",
    RelaxedDraw: "a discrete distribution with a relaxation",
    BernoulliDraw: "a Bernoulli distribution",
    CategoricalDraw: "a one-hot categorical distribution",
}

# What to use for a draw that was received.
_INSTEAD: dict[type[Draw], str] = {
    PathwiseDraw: "`lax_gradient` (LAX)",
    RelaxedDraw: "`relax_gradient` (RELAX)",
}


def check_distribution(distribution: Any) -> None:
    """Raises a TypeError if it is none of this package's."""
    if hasattr(distribution, "conditionals"):
        raise TypeError(
            "A `Chain` has an estimator for each layer. Received: a Chain for "
            "one estimator. Use tf_relax.expectation(f, chain, "
            "estimator=[...], seed=...)."
        )
    if not hasattr(distribution, "pull_back"):
        kind = type(distribution)
        use = ""
        if kind.__module__.startswith("tensorflow_probability"):
            use = f" Use tf_relax.distributions.{kind.__name__} in its place."
        raise TypeError(
            "Estimators need a distribution of tf_relax.distributions. "
            f"Received: {kind.__module__}.{kind.__name__}.{use}"
        )


def check_kind(
    estimator: Any, kind: type[Draw], received: str | None = None
) -> None:
    """Raises a TypeError if the estimator is not valid for draws of a kind.

    Args:
      estimator: an `Estimator`.
      kind: of draw.
      received: what it is of, for the error.
    """
    if not issubclass(kind, estimator.needs):
        use = [text for k, text in _INSTEAD.items() if issubclass(kind, k)]
        if estimator.counterpart and issubclass(kind, RelaxedDraw):
            use.insert(0, estimator.counterpart)
        use.append("`reinforce_gradient` (Reinforce)")
        raise TypeError(
            f"{type(estimator).__name__} needs {_NEEDS[estimator.needs]}. "
            f"Received: {received or _NEEDS[kind]}. Use {' or '.join(use)}."
        )


def check_rank(draw: Draw, received: str) -> None:
    """Raises a ValueError if a graph does not know how many axes b has."""
    if draw.sample.shape.rank is None:
        raise ValueError(
            "The parameters of a distribution must have a known number of "
            f"axes; their sizes may be unknown. Received: {received} of shape "
            "<unknown>. Use `tf.ensure_shape(x, [None, D])`."
        )


def check_coupling(estimator: Any) -> None:
    """Raises a TypeError if it cannot be used above the first layer."""
    if estimator.couples:
        name = type(estimator).__name__
        use = estimator.in_layers or f"{name}(), LeaveOneOut()"
        raise TypeError(
            f"{name} couples the samples of one distribution; above the first "
            "layer of a `Chain` each sample has parameters of its own. "
            f"Received: {name} for such a layer. Use another there, such as "
            f"estimator=[{use}] (at a shell, --estimator=disarm+leave_one_out "
            "and the like)."
        )


def check_num_samples(estimator: Any, num_samples: int | None) -> int:
    """Returns the number of samples, `min_samples` by default.

    Raises:
      ValueError: if the estimator cannot use so many.
    """
    least, step = estimator.min_samples, estimator.samples_step
    try:
        num_samples = operator.index(
            least if num_samples is None else num_samples
        )
    except TypeError:
        raise ValueError(
            "`num_samples` must be an integer of Python. Received: "
            f"num_samples={num_samples!r}."
        ) from None
    if num_samples < least or num_samples % step:
        multiple = f", a multiple of {step}" if step > 1 else ""
        raise ValueError(
            f"`{type(estimator).__name__}` needs num_samples >= {least}"
            f"{multiple}. Received: num_samples={num_samples}."
        )
    return num_samples


def check_gradients(estimator: Any, gradients: Any, draw: Draw) -> None:
    """Raises an error if `gradient` did not return what it should.

    Args:
      estimator: whose method it is.
      gradients: what it returned.
      draw: what it was given.

    Raises:
      TypeError: if that is no dict of tensors by the parameters' names.
      ValueError: if a tensor has not the shape and dtype of the parameter's
        score, that is of each sample.
    """
    name = type(estimator).__name__
    if not isinstance(gradients, Mapping):
        raise TypeError(
            "`gradient` must return a dict from the names of the parameters, "
            'such as "logits", to the estimates of each sample. Received: '
            f"{type(gradients).__name__} of {name}."
        )
    if set(gradients) != set(draw.score):
        raise TypeError(
            f"`gradient` must return estimates by {', '.join(draw.score)}. "
            f"Received: {', '.join(map(str, gradients)) or 'none'} of {name}."
        )
    for parameter, score in draw.score.items():
        found = gradients[parameter]
        if not tf.is_tensor(found):
            raise TypeError(
                f"`gradient` must return tensors. Received: {parameter}="
                f"{type(found).__name__} of {name}."
            )
        same = found.shape.is_compatible_with(score.shape)
        if not same or found.dtype != score.dtype:
            raise ValueError(
                "`gradient` must return the estimates of each sample, in the "
                f"shape and dtype of draw.score[{parameter!r}], {score.shape} "
                f"{score.dtype.name}. Received: {found.shape} "
                f"{found.dtype.name} of {name}."
            )
