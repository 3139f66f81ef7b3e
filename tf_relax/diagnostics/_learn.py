"""What estimators learn, at an expectation that stays as it is."""

from typing import Any

import keras
import tensorflow as tf

from tf_relax.diagnostics._case import Case
from tf_relax.estimators._estimator import raw
from tf_relax.relaxations import fold_seed


def fit_control_variates(
    case: Case,
    steps: int,
    *,
    learning_rate: float = 1e-3,
    seed: Any = (0, 0),
    jit_compile: bool = True,
) -> None:
    """Trains the control variates of a case by Adam, and nothing else.

    Moving averages are warmed up by it. For a model, which learns on other
    images than it is measured at, see `EstimatorTrainer.fit_control_variates`.

    Args:
      case: see `cases`.
      steps: of Adam.
      learning_rate: of Adam.
      seed: stateless seed, two integers.
      jit_compile: False if f is not TensorFlow.
    """
    if not case.layers:
        return
    case.examples(seed)  # Builds what is not built.
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(case.learned)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(own: tf.Tensor) -> tf.Tensor:
        watched = raw(case.learned)
        with tf.GradientTape() as tape:
            tape.watch(watched)
            loss = case.loss(own)
        if watched:
            optimizer.apply(tape.gradient(loss, watched), case.learned)
        return loss

    for number in range(steps):
        step(fold_seed(seed, number))
