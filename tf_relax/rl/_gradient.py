"""Policy gradients: the estimators, step by step, carried to the weights."""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any

import tensorflow as tf

from tf_relax._names import unknown
from tf_relax.estimators import Estimate
from tf_relax.estimators import Estimator
from tf_relax.rl._policies import Policy
from tf_relax.rl._trajectories import Trajectories


@dataclasses.dataclass(frozen=True)
class PolicyGradient:
    """The gradient of minus the mean return.

    Attributes:
      gradients: by the policy's weights, `[R, ...]` each, mean over episodes.
      objective: what the control variate minimises, summed over the runs.
      tape: persistent; knows `objective` as a function of its variables.
    """

    gradients: list[tf.Tensor]
    objective: tf.Tensor
    tape: tf.GradientTape


def policy_gradient(
    policy: Policy,
    trajectories: Trajectories,
    advantages: tf.Tensor,
    estimator: Estimator,
    *,
    objective: str = "weights",
) -> PolicyGradient:
    """Estimates the policy gradient, `sum_t` of an estimator at each step.

        a2c:    d log pi(a_t | s_t) A_t
        lax:    d log pi(a_t | s_t) [A_t - c(a_t, s_t)] + d c(a_t, s_t)
        relax:  d log pi(a_t | s_t) [A_t - c(zt_t, s_t)] - d c(zt_t, s_t)
                  + d c(z_t, s_t)

    where `A_t` is the return from t on, less a baseline of `s_t` (none, or
    the value function; the sum with c is then the paper's `V(s) + c(a, s)`).
    States are held fixed. With whole episodes and discount 1 the mean is the
    gradient of the mean return.

    Args:
      policy: with R runs.
      trajectories: of its episodes.
      advantages: `A_t`, `[R, N, T]`; constants.
      estimator: `Reinforce()`, `LAX(c)` or `RELAX(c)`. c sees observations as
        its context, and approximates `-A_t`.
      objective: "weights", the squared norm of the gradient by the policy's
        weights, as the paper's text; "parameters", that by the parameters of
        each step's distribution, which is cheaper; or "regression", the
        squared error of c, as the released code.

    Returns:
      A `PolicyGradient`.

    Raises:
      ValueError: if there is no such objective.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           Appendix C. https://arxiv.org/abs/1711.00123
    """
    if objective not in OBJECTIVES:
        raise ValueError(unknown("objective", objective, OBJECTIVES))
    weights = [v.value for v in policy.trainable_variables]
    variables = [v.value for v in estimator.trainable_variables]
    share = trajectories.alive / float(trajectories.alive.shape[1])
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False
    ) as outer:
        outer.watch(variables)
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(weights)
            distribution = policy.distribution(trajectories.observations)
            parameters = distribution.given_parameters()
        draw = policy.draw(distribution, trajectories.noise)
        c = estimator.bind(
            distribution, draw, _no_function, trajectories.observations
        )
        # A loss: minus the advantage. Estimates are of each step.
        estimate = estimator.examples(distribution, draw, -advantages, c)
        gradients = inner.gradient(
            list(parameters.values()),
            weights,
            output_gradients=[
                share[..., tf.newaxis] * estimate.gradients[name]
                for name in parameters
            ],
        )
        minimised = OBJECTIVES[objective](
            gradients, estimate, share, lambda: -advantages - c(_point(draw))
        )
    return PolicyGradient(gradients, minimised, outer)


def _point(draw: Any) -> tf.Tensor:
    return getattr(draw, "relaxed", draw.sample)


def _no_function(b: tf.Tensor) -> tf.Tensor:
    raise ValueError(
        "A policy gradient knows returns, not a function of the action. Use a "
        "network as control variate, not a relaxed f."
    )


def _of_weights(
    gradients: Sequence[tf.Tensor],
    estimate: Estimate,
    share: tf.Tensor,
    error: Callable[[], tf.Tensor],
) -> tf.Tensor:
    del estimate, share, error
    return sum(tf.reduce_sum(tf.square(g)) for g in gradients)


def _of_parameters(
    gradients: Sequence[tf.Tensor],
    estimate: Estimate,
    share: tf.Tensor,
    error: Callable[[], tf.Tensor],
) -> tf.Tensor:
    del gradients, error
    return tf.reduce_sum(share * estimate.squared_norm)


def _of_regression(
    gradients: Sequence[tf.Tensor],
    estimate: Estimate,
    share: tf.Tensor,
    error: Callable[[], tf.Tensor],
) -> tf.Tensor:
    del gradients, estimate
    return tf.reduce_sum(share * tf.square(error()))


OBJECTIVES: dict[str, Callable[..., tf.Tensor]] = {
    "parameters": _of_parameters,
    "regression": _of_regression,
    "weights": _of_weights,
}
