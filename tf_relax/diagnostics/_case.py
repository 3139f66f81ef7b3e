"""What is measured: an estimator at an expectation."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import math
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax import estimators
from tf_relax.estimators import Estimator
from tf_relax.estimators import LayerExamples
from tf_relax.models import DiscreteVAE
from tf_relax.relaxations import RelaxedDraw

_SEED = (0, 0)
# log2 of the numbers in all outcomes of a batch: more would fill the memory.
_MOST_LOG_NUMBERS = 23


class Terms(NamedTuple):
    """An expectation `E[f(b)]`."""

    f: Callable[..., Any]
    distribution: Any
    context: Any = None


@dataclasses.dataclass(frozen=True)
class Case:
    """An estimator at an expectation.

    Attributes:
      name: of the estimator.
      estimators: one a layer.
      num_samples: K.
      terms: returns the expectation; called where it is differentiated.
      variables: that a step trains beside what the estimators learn.
    """

    name: str
    estimators: Sequence[Estimator]
    num_samples: int
    terms: Callable[[], Terms]
    variables: Sequence[Any] = ()

    @property
    def layers(self) -> list[Any]:
        """Returns the Keras layers that hold what the estimators learn."""
        return [layer for e in self.estimators for layer in e.layers]

    @property
    def learned(self) -> list[Any]:
        """Returns the variables that the estimators' objectives train."""
        return [v for e in self.estimators for v in e.trainable_variables]

    @property
    def is_exact(self) -> bool:
        """Returns whether every draw of the gradient is the same."""
        return all(
            isinstance(e, estimators.Enumeration) for e in self.estimators
        )

    def examples(self, seed: Any) -> LayerExamples:
        """Returns what the estimators make of one draw."""
        f, distribution, context = self.terms()
        return estimators.layer_examples(
            f,
            distribution,
            list(self.estimators),
            seed=seed,
            num_samples=self.num_samples,
            context=context,
        )

    def loss(self, seed: Any, learns: bool = True) -> tf.Tensor:
        """Returns the mean of `E[f(b)]`, differentiated by the estimators.

        Args:
          seed: of the draw.
          learns: whether `learned` gets the gradient of its objectives.
        """
        f, distribution, context = self.terms()
        values = estimators.expectation(
            f,
            distribution,
            estimator=list(self.estimators),
            seed=seed,
            num_samples=self.num_samples,
            context=context,
            variables=None if learns else [],
        )
        return tf.reduce_mean(values)


def cases(
    f: Callable[..., Any],
    distribution: Any,
    named: Mapping[str, Estimator | Sequence[Estimator]],
    num_samples: Sequence[int] = (),
    *,
    context: Any = None,
    variables: Sequence[Any] = (),
) -> list[Case]:
    """Returns a case for each estimator and number of samples.

    Args:
      f: see `tf_relax.expectation`; TensorFlow or not.
      distribution: one of `tf_relax.distributions`, or a `Chain`.
      named: estimators by name; of a chain, lists of one a layer.
      num_samples: those that an estimator cannot use are left out for it.
        Default: as few as it needs.
      context: handed to the control variates.
      variables: what f uses, a decoder's weights, if it counts in the time.

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.Bernoulli(logits=tf.zeros([24, 200]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> named = {"rebar": tfr.REBAR(), "leave_one_out": tfr.LeaveOneOut()}
      >>> [(x.name, x.num_samples) for x in cases(f, q, named, [1, 2])]
      [('rebar', 1), ('rebar', 2), ('leave_one_out', 2)]
    """
    first = getattr(distribution, "first", distribution)
    parameters = list(first.given_parameters().values())
    return [
        Case(
            name,
            own,
            number,
            lambda: Terms(f, distribution, context),
            [*parameters, *variables],
        )
        for name, own in _listed(named).items()
        for number in _numbers(own, num_samples)
    ]


def cases_of_models(
    models: Mapping[str, DiscreteVAE],
    images: Any,
    num_samples: Sequence[int] = (),
) -> list[Case]:
    """Returns a case for each model and number of samples.

    Args:
      models: by the name of their estimator. See
        `DiscreteVAE.with_estimator`.
      images: `[B, ...]`, in [0, 1].
      num_samples: see `cases`.
    """
    pixels = tf.convert_to_tensor(images)

    def terms_of(model: DiscreteVAE) -> Callable[[], Terms]:
        def terms() -> Terms:
            q = model.posterior(pixels)
            f = model.negative_elbo(q, pixels)
            return Terms(f, q, model.context(pixels))

        return terms

    return [
        Case(
            name,
            model.estimators,
            number,
            terms_of(model),
            model.model_variables,
        )
        for name, model in models.items()
        for number in _numbers(model.estimators, num_samples)
    ]


def reference_of(case: Case) -> Case:
    """Returns the unbiased case that others are held against.

    It is exact, by enumeration, if the batch has few joint outcomes; else
    local expectation, whose small variance is worth its evaluations of f; for
    a chain or what is continuous, leave-one-out with 8 samples.

    Args:
      case: any at the same expectation.
    """
    exact = exact_reference(case)
    if exact is not None:
        return exact
    distribution = case.terms().distribution
    if hasattr(distribution, "conditionals") or not isinstance(
        distribution.draw(_SEED), RelaxedDraw
    ):
        return leave_one_out(case, num_samples=8)
    return dataclasses.replace(
        case,
        name="local_expectation",
        estimators=[estimators.LocalExpectation()],
        num_samples=1,
    )


def exact_reference(case: Case) -> Case | None:
    """Returns enumeration, None if there are too many joint outcomes."""
    f, distribution, _ = case.terms()
    exact = _enumeration(f, distribution)
    if exact is None:
        return None
    return dataclasses.replace(
        case, name="enumeration", estimators=[exact], num_samples=1
    )


def leave_one_out(case: Case, num_samples: int) -> Case:
    """Returns leave-one-out at the same expectation."""
    return dataclasses.replace(
        case,
        name="leave_one_out",
        estimators=[estimators.LeaveOneOut() for _ in case.estimators],
        num_samples=num_samples,
    )


def _enumeration(f: Any, distribution: Any) -> Estimator | None:
    if hasattr(distribution, "conditionals"):
        return None
    draw = distribution.draw(_SEED)
    if not isinstance(draw, RelaxedDraw):
        return None
    b = tf.cast(draw.sample, distribution.dtype)
    event_ndims = b.shape.rank - tf.convert_to_tensor(f(b)).shape.rank
    event = b.shape[b.shape.rank - event_ndims :]
    units = math.prod(event[: event_ndims - draw.unit_ndims])
    log_outcomes = units * math.log2(draw.atoms().shape[0])
    log_numbers = log_outcomes + math.log2(max(1, b.shape.num_elements()))
    if log_outcomes > 16 or log_numbers > _MOST_LOG_NUMBERS:
        return None
    return estimators.Enumeration(event_ndims)


def _listed(named: Mapping[str, Any]) -> dict[str, list[Estimator]]:
    return {
        name: list(own) if isinstance(own, list | tuple) else [own]
        for name, own in named.items()
    }


def _numbers(own: Sequence[Estimator], wanted: Sequence[int]) -> list[int]:
    """Returns the numbers of samples that all layers can use."""
    if not wanted:
        return [max(e.check_num_samples(None) for e in own)]
    return [
        number
        for number in wanted
        if all(
            number >= e.min_samples and number % e.samples_step == 0
            for e in own
        )
    ]
