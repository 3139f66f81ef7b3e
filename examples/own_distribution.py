"""A discrete distribution of one's own, with RELAX, and the proof of it.

TFP's ordered logistic: a star rating 0, 1, 2 or 3 is how many of three
thresholds a logistic variable around `loc` exceeds.
"""

import tensorflow as tf
import tensorflow_probability as tfp

import tf_relax as tfr


class Rating(tfr.distributions.GradientMethods, tfp.distributions.Distribution):
    """How many `cutpoints` `z = loc + logit(u)` exceeds, `[B..., D]`."""

    def __init__(self, loc, cutpoints, name="Rating"):
        self.loc = tf.convert_to_tensor(loc)
        self.cutpoints = tf.constant(cutpoints, self.loc.dtype)
        super().__init__(
            dtype=self.loc.dtype,
            reparameterization_type=tfp.distributions.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            name=name,
        )

    def _batch_shape(self):
        return self.loc.shape

    def _event_shape(self):
        return tf.TensorShape([])

    def _log_prob(self, b):
        low, high = self.interval(b, self.loc)
        return tf.math.log(high - low)

    # What tf_relax asks for: the parameters, and draws.

    def given_parameters(self):
        return {"loc": self.loc}

    def draw(self, seed, num_samples=1):
        return tfr.relaxations.interval_draw(
            self.relax,
            self.harden,
            self.interval,
            self.given_parameters(),
            seed,
            num_samples,
        )

    def relax(self, u, loc):
        return loc + tf.math.log(u) - tf.math.log1p(-u)

    def harden(self, z):
        above = z[..., tf.newaxis] > self.cutpoints
        return tf.reduce_sum(tf.cast(above, z.dtype), -1)

    def interval(self, b, loc):
        ends = tf.constant([-1e9], loc.dtype), tf.constant([1e9], loc.dtype)
        edges = tf.concat([ends[0], self.cutpoints, ends[1]], 0)
        index = tf.cast(b, tf.int32)
        low, high = tf.gather(edges, index), tf.gather(edges, index + 1)
        return tf.sigmoid(low - loc), tf.sigmoid(high - loc)


loc = tf.constant([-1.0, 0.5, 2.0], tf.float64)
f = lambda b: (b[..., 0] - 0.499) ** 2 + b[..., 1] * tf.sin(b[..., 2])
c = lambda z: 0.3 * tf.reduce_sum(z, -1) + tf.sin(z[..., 0]) * z[..., 1]

# Each row of the batch is a draw; their mean is held against the exact sum.
q = Rating(tf.broadcast_to(loc, [100_000, 3]), [-1.0, 0.0, 1.5])
exact = tfr.testing.exact_gradient(
    Rating(loc, [-1.0, 0.0, 1.5]), f, atoms=[0.0, 1.0, 2.0, 3.0]
)
for coupled in (True, False):
    draws = q.relax_gradient(f, c, seed=(0, 0), coupled=coupled).gradients
    print(tfr.testing.assert_unbiased(draws, exact) < 5.0)  # True
draws = q.reinforce_gradient(f, seed=(0, 0)).gradients
print(tfr.testing.assert_unbiased(draws, exact) < 5.0)  # True
