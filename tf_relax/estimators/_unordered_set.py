"""The unordered set estimator: K samples without replacement."""

import dataclasses
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.estimators._outcomes import joint_outcomes
from tf_relax.estimators._registry import register
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import open_uniform
from tf_relax.relaxations import RelaxedDraw

_MOST_SAMPLES = 10  # Each subset of them is looked at.


@dataclasses.dataclass(frozen=True)
class _SetDraw(Draw):
    baseline: tf.Tensor  # What f(b_j) counts for b_k's, [K, K, B...].


@register("unordered_set")
class UnorderedSet(Estimator):
    """The unordered set estimator, of K >= 2 different samples.

        g = sum_k p(b_k) R_k (f(b_k) - B_k) * d log p(b_k)
        B_k = p(b_k) f(b_k) + sum_(j != k) p(b_j) R_jk f(b_j)

    of the set S of the first K different outcomes, in any order: `R_k` is the
    probability of S given that `b_k` comes first over that of S, and `R_jk`
    the same of what is left when `b_k` is gone. Outcomes are those of all
    units of an example, and `p(b_k) R_k` are the weights of the samples: the
    value is unbiased too. Unbiased for every `f`, of which no derivative is
    taken. K evaluations of `f`, at most 10; with as many as there are
    outcomes, exact. At most 65,536 joint outcomes, which are all looked at.

    Args:
      event_ndims: how many trailing axes of b are one joint draw: those that
        f sums away, and an axis of classes. See `Enumeration`.

    References:
      [1]: Kool, van Hoof, Welling. Estimating gradients for discrete random
           variables by sampling without replacement. ICLR 2020.
           https://arxiv.org/abs/2002.06043

    Examples:
      >>> import tf_relax as tfr
      >>> q = tfr.distributions.OneHotCategorical(logits=tf.zeros([4]))
      >>> f = lambda b: tf.reduce_sum(b[..., 1:] ** 2, -1)
      >>> estimate = UnorderedSet().estimate(
      ...     f, q, seed=(0, 0), num_samples=4)
      >>> round(float(estimate.value), 3)  # All of them: E[f(b)].
      0.75
    """

    needs = RelaxedDraw
    min_samples = 2
    couples = True

    def __init__(self, event_ndims: int = 1) -> None:
        """See the class."""
        self.event_ndims = event_ndims

    def redraw(self, draw: RelaxedDraw, seed: tf.Tensor) -> Draw:
        """Returns K different samples, weighted."""
        event_ndims = max(self.event_ndims, draw.event_ndims)
        table, log_probs = joint_outcomes(draw, event_ndims)
        k = draw.num_samples
        _check(k, table.shape[0])
        chosen = _first_different(log_probs, k, event_ndims, seed)
        weights, baseline = _weights(log_probs, chosen)
        sample = draw.at(tf.gather(table, chosen), k, weights=weights)
        sample = dataclasses.replace(sample, event_ndims=event_ndims)
        return _SetDraw(**vars(sample), baseline=tf.stop_gradient(baseline))

    def gradient(
        self, draw: _SetDraw, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """See `Estimator.gradient`."""
        del control_variate
        baseline = tf.reduce_sum(draw.baseline * value, 1)
        return _algebra.scale(draw.score, value - baseline)

    def get_config(self) -> dict[str, Any]:
        """See `Estimator.get_config`."""
        return {"event_ndims": self.event_ndims}


class _Weights(NamedTuple):
    samples: tf.Tensor  # p(b_k) R_k, [K, B...].
    baseline: tf.Tensor  # Row k has the weights of B_k, [K, K, B...].


def _check(num_samples: int, num_outcomes: int) -> None:
    most = min(num_outcomes, _MOST_SAMPLES)
    if num_samples > most:
        raise ValueError(
            f"`UnorderedSet` has at most {most} different samples here. "
            f"Received: num_samples={num_samples}, {num_outcomes} joint "
            "outcomes. Use fewer samples, or Enumeration."
        )


def _first_different(
    log_probs: tf.Tensor, num_samples: int, event_ndims: int, seed: tf.Tensor
) -> tf.Tensor:
    """Returns K different outcomes, by number, `[M, B...]` to `[K, B...]`."""
    rank = log_probs.shape.rank
    outcomes_last = tf.transpose(log_probs, tf.roll(tf.range(rank), -1, 0))
    shape = tf.shape(outcomes_last)
    # An example has as many axes as in b, for `rows_of_batch`.
    ones = [1] * (event_ndims - 1)
    like_b = tf.concat([shape[:-1], ones, shape[-1:]], 0)
    u = tf.reshape(open_uniform(seed, like_b, log_probs.dtype), shape)
    relaxed = outcomes_last - tf.math.log(-tf.math.log(u))
    _, index = tf.math.top_k(relaxed, num_samples)
    return tf.transpose(index, tf.roll(tf.range(rank), 1, 0))


def _weights(log_probs: tf.Tensor, chosen: tf.Tensor) -> _Weights:
    """Returns the weights of the samples, and of each in each baseline."""
    k = chosen.shape[0]
    every = tf.exp(log_probs)
    one_hot = tf.one_hot(chosen, every.shape[0], axis=1, dtype=every.dtype)
    own = tf.reduce_sum(one_hot * every, 1)
    outside = (1.0 - tf.reduce_sum(one_hot, 0)) * every
    of_rest = _probability_of_rest(own, tf.reduce_sum(outside, 0))
    samples = [
        own[i] * tf.math.divide_no_nan(of_rest[1 << i], of_rest[0])
        for i in range(k)
    ]
    baseline = [
        own[j]
        if i == j
        else own[j]
        * tf.math.divide_no_nan(of_rest[1 << i | 1 << j], of_rest[1 << i])
        for i in range(k)
        for j in range(k)
    ]
    shape = tf.concat([[k, k], tf.shape(own)[1:]], 0)
    return _Weights(tf.stack(samples), tf.reshape(tf.stack(baseline), shape))


def _probability_of_rest(
    own: tf.Tensor, outside: tf.Tensor
) -> dict[int, tf.Tensor]:
    """Returns, by the set gone, how likely the rest of S comes next.

    Sets are numbers with a bit for each of the K samples. Sums of positive
    terms only: `1 - p(gone)` would round to nothing.

    Args:
      own: probabilities of the samples, `[K, B...]`.
      outside: of all other outcomes together, `[B...]`.
    """
    num_samples = own.shape[0]
    probability = {(1 << num_samples) - 1: tf.ones_like(outside)}
    for gone in reversed(range((1 << num_samples) - 1)):
        left = [i for i in range(num_samples) if not gone >> i & 1]
        total = outside + sum(own[i] for i in left)
        probability[gone] = sum(
            tf.math.divide_no_nan(own[i], total) * probability[gone | 1 << i]
            for i in left
        )
    return probability
