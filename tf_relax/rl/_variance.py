"""How much the gradients of single episodes differ, at one policy."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax.estimators import Estimator
from tf_relax.estimators import Reinforce
from tf_relax.rl._gradient import policy_gradient
from tf_relax.rl._learner import Learner
from tf_relax.rl._trajectories import Trajectories


class GradientVariance(NamedTuple):
    """Sample variances of the gradient of an episode, by the weights."""

    log_variance: tf.Tensor  # [R], mean over the weights of the logarithm.
    total: tf.Tensor  # [R], sum over the weights.


def gradient_variances(
    learner: Learner, seen: Trajectories, name: str
) -> dict[str, GradientVariance]:
    """Returns the variances of several estimators on the same episodes.

    The paper's measure: at a frozen policy the gradient of each of N episodes,
    the sample variance of each weight's, and the mean of their logarithms.
    Weights that no episode moves (those behind a dead unit) are left out.

    Args:
      learner: whose policy played them; it does not learn.
      seen: N whole episodes of each run.
      name: of the learner's own estimator.

    Returns:
      By name: "reinforce" without a baseline, "a2c" if there is a critic,
      and the learner's own.
    """
    paths = learner.normalised(seen)
    returns = learner.returns(paths)
    advantages = returns - learner.values(paths.observations)
    cases: dict[str, tuple[Estimator, tf.Tensor]] = {
        "reinforce": (Reinforce(), returns)
    }
    if learner.critic is not None:
        cases["a2c"] = (Reinforce(), advantages)
    cases.setdefault(name, (learner.estimator, advantages))
    variances = {
        name: _variances(learner, paths, *case) for name, case in cases.items()
    }
    moved = [v > 0 for v in variances["reinforce"]]
    return {name: _summed_up(v, moved) for name, v in variances.items()}


def _variances(
    learner: Learner,
    paths: Trajectories,
    estimator: Estimator,
    advantages: tf.Tensor,
) -> list[tf.Tensor]:
    """Returns the sample variance of every weight's gradient, `[R, ...]`."""

    def of_episode(episode: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        *path, advantage = (x[:, tf.newaxis] for x in episode)
        return policy_gradient(
            learner.policy, Trajectories(*path), advantage, estimator
        ).gradients

    by_episode = [
        tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
        for x in (*paths, advantages)
    ]
    weights = learner.policy.trainable_variables
    gradients = tf.map_fn(
        of_episode,
        by_episode,
        fn_output_signature=[tf.TensorSpec(v.shape, v.dtype) for v in weights],
        parallel_iterations=1,
    )
    num = float(by_episode[0].shape[0])
    return [tf.math.reduce_variance(g, 0) * num / (num - 1) for g in gradients]


def _summed_up(
    variances: Sequence[tf.Tensor], moved: Sequence[tf.Tensor]
) -> GradientVariance:
    """Returns the summary over the weights that move, `[R]` each."""

    def over_weights(xs: Any) -> tf.Tensor:
        return sum(
            tf.reduce_sum(tf.reshape(x, [x.shape[0], -1]), 1) for x in xs
        )

    logs = [
        tf.where(m, tf.math.log(tf.maximum(v, 1e-30)), 0.0)
        for v, m in zip(variances, moved, strict=True)
    ]
    count = over_weights(tf.cast(m, tf.float32) for m in moved)
    return GradientVariance(
        over_weights(logs) / tf.maximum(count, 1.0), over_weights(variances)
    )


class VarianceMeter:
    """Measures `gradient_variances` on fresh episodes of a player.

    Args:
      learner: whose estimator is measured.
      name: of it.
      jit_compile: whether XLA compiles it.
    """

    def __init__(
        self, learner: Learner, name: str, *, jit_compile: bool = True
    ) -> None:
        """See the class."""
        self._measure = tf.function(
            lambda *paths: gradient_variances(
                learner, Trajectories(*paths), name
            ),
            jit_compile=jit_compile,
            autograph=False,
        )

    def __call__(self, paths: Trajectories) -> dict[str, GradientVariance]:
        """Returns the variances at the policy that played `paths`."""
        measured: dict[str, GradientVariance] = self._measure(*paths)
        return measured
