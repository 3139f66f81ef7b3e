"""The variance objective in the coordinates of an encoder's weights."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._estimator import raw
from tf_relax.estimators._evaluate import evaluate
from tf_relax.estimators._evaluate import ScalarFn


class WeightGradients(NamedTuple):
    """What `weight_gradients` returns."""

    value: tf.Tensor  # Mean of f(b) over the examples and samples. Scalar.
    gradients: list[tf.Tensor]  # d of that mean, by `sources`.
    variance_gradients: list[tf.Tensor]  # By the estimator's variables.


def weight_gradients(
    f: ScalarFn,
    make_distribution: Callable[[], Any],
    sources: Sequence[Any],
    *,
    estimator: Estimator,
    seed: tf.Tensor,
    num_samples: int | None = None,
    context: Any = None,
) -> WeightGradients:
    """Estimates the gradient by `sources`, and minimises *its* variance.

    The gradient of the mean over a batch is `w = sum_b J_b' g_b / B`, where
    `J_b` takes the sources to the parameters of example b. The variance
    gradients are `d ||w||^2 / d variable`, which is the objective in the
    text of the paper; its code, and `expectation`, take the norm of each
    `g_b` instead, which is cheaper. Both leave the estimate unbiased.

    Args:
      f: `[..., E...] -> [...]`.
      make_distribution: builds the distribution from the sources.
      sources: variables or watched tensors, such as an encoder's weights.
      estimator: an object such as `RELAX(c)`.
      seed: stateless seed, two integers.
      num_samples: K, see `expectation`.
      context: handed to the control variate.

    Returns:
      A `WeightGradients`.

    Examples:
      >>> import tf_relax as tfr
      >>> logits = tf.Variable([0.1, 0.2])
      >>> result = weight_gradients(
      ...     lambda b: tf.reduce_sum(b, -1),
      ...     lambda: tfr.distributions.Bernoulli(logits=2.0 * logits),
      ...     [logits], estimator=tfr.REBAR(), seed=(0, 0))
      >>> len(result.variance_gradients)
      2
    """
    sources = raw(sources)
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False
    ) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(sources)
            distribution = make_distribution()
            parameters = distribution.given_parameters()
            draw = estimator.draw(
                distribution, seed=seed, num_samples=num_samples
            )
            # The tape sees where f itself depends on the sources.
            point = tf.cast(
                estimator.point(draw, distribution), distribution.dtype
            )
            value = evaluate(f, [point], draw)
            mean = tf.reduce_mean(estimator.combine(value, draw))
        control_variate = estimator.bind(distribution, draw, f, context)
        variables = raw(estimator.trainable_variables)
        outer.watch(variables)
        estimate = estimator.examples(
            distribution, draw, value, control_variate
        )
        size = tf.cast(tf.size(estimate.squared_norm), value.dtype)
        by_parameter = _algebra.reduce_to(estimate.gradients, parameters)
        gradients = inner.gradient(
            [mean, *parameters.values()],
            sources,
            output_gradients=[
                tf.ones_like(mean),
                *(
                    tf.cast(by_parameter[name] / size, parameter.dtype)
                    for name, parameter in parameters.items()
                ),
            ],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        squared_norm = sum(tf.reduce_sum(tf.square(g)) for g in gradients)
    variance_gradients = outer.gradient(
        squared_norm,
        variables,
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    estimator.observe(value, control_variate)
    return WeightGradients(mean, gradients, variance_gradients)
