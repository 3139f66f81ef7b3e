"""A simulator in NumPy, which TensorFlow cannot see: RELAX and REINFORCE.

Each of 8 switches sends a job to the first or the second of two machines, and
the cost of a plan is the time at which the last job is done. What are the
variances of the gradient of the mean cost? REINFORCE pays for the size of the
cost; a moving average takes its mean away, and a network what it finds.
"""

import numpy as np
import tensorflow as tf

import tf_relax as tfr

JOBS = np.random.default_rng(0).uniform(1.0, 9.0, size=8).astype(np.float32)
LOGITS = tf.linspace(-1.0, 1.0, 8)[tf.newaxis]


def makespan(plans):
    """Returns when the last job of each plan is done, `[..., 8] -> [...]`."""
    plans = np.asarray(plans)
    first = (plans * JOBS).sum(-1)
    return np.maximum(first, JOBS.sum() - first)


def gradient_variance(estimator):
    """Returns the variance of an estimator, trained before."""
    q = tfr.distributions.Bernoulli(logits=tf.tile(LOGITS, [20, 1]))
    (case,) = tfr.diagnostics.cases(makespan, q, {"it": estimator})
    tfr.diagnostics.fit_control_variates(
        case, 1000, learning_rate=0.02, jit_compile=False
    )
    (found,) = tfr.diagnostics.measure(
        [case], num_draws=100, rounds=0, jit_compile=False
    )
    return found.gradient_variance


plain = gradient_variance(tfr.Reinforce())
average = gradient_variance(tfr.Reinforce(tfr.estimators.MovingAverage()))
network = tfr.control_variates.Network(hidden=(32,))
learned = gradient_variance(tfr.RELAX(network))
print("in REINFORCE's:", average / plain, learned / plain)
print(learned < average < 0.1 * plain)  # True
