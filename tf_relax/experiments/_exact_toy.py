"""The toy's expected loss, and its descent by the exact gradient."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

LEARNING_RATE = 0.01  # Of the logit's Adam.


def expected_loss(theta: np.ndarray, target: float) -> np.ndarray:
    """Returns `E[(b - t)^2]` at `p(b = 1) = theta`."""
    return theta * (1 - target) ** 2 + (1 - theta) * target**2


def exact_loss(target: float, steps: int) -> dict[str, np.ndarray]:
    """Returns `step` and `loss` of the same Adam with the exact gradient."""
    logit = tf.Variable(0.0)
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build([logit])

    @tf.function(jit_compile=True, autograph=False)
    def run() -> tf.Tensor:
        def body(index: tf.Tensor, logits: tf.TensorArray) -> Any:
            logits = logits.write(index, logit)
            p = tf.sigmoid(logit)
            # d E[(b - t)^2] / d logit; the paper's code lacks the (1 - p).
            optimizer.apply([p * (1 - p) * (1 - 2 * target)], [logit])
            return index + 1, logits

        logits = tf.TensorArray(tf.float32, steps + 1, element_shape=[])
        return tf.while_loop(
            lambda index, _: index <= steps, body, (tf.constant(0), logits)
        )[1].stack()

    theta = 1.0 / (1.0 + np.exp(-run().numpy().astype(np.float64)))
    return {
        "step": np.arange(steps + 1),
        "loss": expected_loss(theta, target)[np.newaxis],
    }
