"""Structured latents: a joint distribution of TFP under a chain of ours.

The model is `p(b_2) p(b_1 | b_2) p(x | b_1)`, a TFP joint distribution; its
posterior is a chain of two layers. One tape trains all of it.
"""

import tensorflow as tf
import tensorflow_probability as tfp

import tf_relax as tfr

tfd, tfrd = tfp.distributions, tfr.distributions

down = tf.Variable(0.1 * tf.ones([3, 4]))
out = tf.Variable(0.1 * tf.ones([4, 6]))
up = tf.Variable(0.1 * tf.ones([6, 4]))
top = tf.Variable(0.1 * tf.ones([4, 3]))


def bits(logits):
    return tfrd.Independent(tfrd.Bernoulli(logits=logits), 1)


model = tfd.JointDistributionSequential(
    [
        lambda: bits(tf.zeros([24, 3])),
        lambda b_2: bits(b_2 @ down),
        lambda b_1, b_2: tfd.Independent(tfd.Normal(b_1 @ out, scale=1.0), 1),
    ]
)
x = tf.random.stateless_normal([24, 6], seed=(0, 0))

with tf.GradientTape() as tape:
    posterior = tfrd.Chain(bits(x @ up), lambda b_1: bits(b_1 @ top))

    def negative_elbo(b_1, b_2):
        first = posterior.first
        second = posterior.conditionals[0](b_1)
        entropy = first.log_prob(b_1) + second.log_prob(b_2)
        return entropy - model.log_prob([b_2, b_1, x])

    losses = tfr.expectation(
        negative_elbo,
        posterior,
        estimator=[tfr.REBAR(), tfr.REBAR()],
        seed=(0, 1),
    )
    loss = tf.reduce_mean(losses)
gradients = tape.gradient(loss, [up, top, down, out])
print([tuple(g.shape) for g in gradients])  # [(6, 4), (4, 3), (3, 4), (4, 6)]
