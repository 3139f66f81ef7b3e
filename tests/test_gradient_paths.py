"""Who gets which gradient: the contract of `expectation` and `estimate`."""

import cases
import keras
import numpy as np
import paths
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import control_variates as cv
from tf_relax import testing

tfrd = tfr.distributions
_SEED = paths.SEED


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("part", ["encoder", "decoder", "prior"])
def test_parts_get_their_own_gradient(part, num_samples):
    paths.assert_no_leak(tfr.expectation, part, num_samples)


def _variance_gradients_by_hand(vae, weights):
    """`sum_b w_b d ||g_b||^2`, with the coupled estimate written out again."""
    logits, b = vae.q().logits, vae.sample()
    z, p = vae.q().draw(_SEED).relaxed, tf.sigmoid(logits)
    u = tf.sigmoid(z - logits)
    k = tf.where(b > 0, (1 - p) / u, p / (1 - u))
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(z)
            c = vae.c(z, f=vae.f, squash=tf.sigmoid)
        signal = vae.f(b) - c
        g = signal[:, tf.newaxis] * (b - p) + k * inner.gradient(c, z)
        objective = tf.reduce_sum(weights * tf.reduce_sum(g**2, -1))
    return outer.gradient(objective, vae.c.trainable_variables)


@pytest.mark.parametrize("weights", ["mean", "unequal"])
def test_control_variate_gets_the_weighted_variance_gradient(weights):
    vae = paths.TinyVae()
    n = len(vae.images)
    w = {"mean": [1 / n] * n, "unequal": [0.3, 0.0, 2.0, 1.0, 0.1]}[weights]
    w = tf.constant(w, tf.float64)
    with tf.GradientTape() as tape:
        values = tfr.expectation(
            vae.f, vae.q(), estimator=vae.estimator, seed=_SEED
        )
        mean = tf.reduce_mean(values)
        loss = mean if weights == "mean" else tf.reduce_sum(w * values)
    for found, expected in zip(
        tape.gradient(loss, vae.c.trainable_variables),
        _variance_gradients_by_hand(vae, w),
        strict=True,
    ):
        paths.assert_close(found, expected)


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("part", ["encoder", "decoder", "prior"])
def test_without_variables_the_others_get_what_they_got(part, num_samples):
    def expectation(*args, **options):
        return tfr.expectation(*args, variables=[], **options)

    paths.assert_no_leak(expectation, part, num_samples)


def test_without_variables_the_control_variate_gets_nothing():
    vae = paths.TinyVae()
    with tf.GradientTape() as tape:
        loss = tfr.expectation(
            vae.f, vae.q(), estimator=vae.estimator, seed=_SEED, variables=[]
        )
    found = tape.gradient(loss, vae.c.trainable_variables)
    assert found == [None] * len(found)


def test_estimate_returns_the_sum_of_the_variance_gradients():
    vae = paths.TinyVae()
    estimate = vae.estimator.estimate(vae.f, vae.q(), seed=_SEED)
    by_hand = _variance_gradients_by_hand(vae, tf.ones([5], tf.float64))
    for found, expected in zip(
        estimate.variance_gradients, by_hand, strict=True
    ):
        paths.assert_close(found, expected)


def test_unequal_weights_reach_the_encoder():
    vae = paths.TinyVae()
    w = tf.constant([0.3, 0.0, -2.0, 1.0, 0.1], tf.float64)
    with tf.GradientTape() as tape:
        values = tfr.expectation(
            vae.f, vae.q(), estimator=vae.estimator, seed=_SEED
        )
        loss = tf.reduce_sum(w * values)
    estimate = vae.estimator.estimate(vae.f, vae.q(), seed=_SEED)
    weighted = w[:, tf.newaxis] * estimate.gradients["logits"]
    paths.assert_close(
        tape.gradient(loss, vae.encoder), tf.transpose(vae.images) @ weighted
    )


@pytest.mark.parametrize(
    ("method", "family"),
    [pytest.param(*pair, id="-".join(pair)) for pair in cases.pairs()],
)
def test_parameters_get_the_estimate_and_nothing_else(method, family):
    names = method, family, cases.METHODS[method].control_variates[-1]
    num_samples = cases.METHODS[method].num_samples
    options = {"seed": _SEED, "num_samples": num_samples}
    f, q = cases.FAMILIES[family].f, cases.FAMILIES[family].rows(5)
    with tf.GradientTape() as tape:
        tape.watch(q.given_parameters())
        values = tfr.expectation(
            f, q, estimator=cases.estimator_of(*names), **options
        )
        loss = tf.reduce_sum(values)
    found = tape.gradient(loss, q.given_parameters())
    estimator = cases.estimator_of(*names)  # Anew: some remember values.
    expected = estimator.estimate(f, q, **options).gradients
    for name, gradient in found.items():
        paths.assert_close(gradient, expected[name], name)


def test_value_is_the_mean_over_samples():
    vae = paths.TinyVae()
    q = vae.q()
    values = tfr.expectation(
        vae.f, q, estimator=vae.estimator, seed=_SEED, num_samples=3
    )
    sample = q.draw(_SEED, 3).sample
    paths.assert_close(values, tf.reduce_mean(vae.f(sample), 0))


def _all_variables(vae):
    return [vae.encoder, vae.decoder, vae.prior, *vae.c.trainable_variables]


def test_a_persistent_tape_gives_the_same_twice():
    vae = paths.TinyVae()
    with tf.GradientTape(persistent=True) as tape:
        values = tfr.expectation(
            vae.f, vae.q(), estimator=vae.estimator, seed=_SEED
        )
        loss = tf.reduce_mean(values)
    first = tape.gradient(loss, _all_variables(vae))
    second = tape.gradient(loss, _all_variables(vae))
    for x, y in zip(first, second, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("mode", cases.MODES)
def test_a_tape_that_nobody_asks(mode):
    vae = paths.TinyVae()

    @cases.MODES[mode]
    def values(seed):
        with tf.GradientTape():
            return tfr.expectation(
                vae.f, vae.q(), estimator=vae.estimator, seed=seed
            )

    sample = cases.MODES[mode](lambda seed: vae.q().draw(seed).sample)
    seed = tf.constant(_SEED)
    paths.assert_close(values(seed), vae.f(sample(seed)))


# --- f depends on the parameters -------------------------------------------


def _with_log_q(q, f):
    """An ELBO's f: there is a -log q in it."""

    def with_log_q(b):
        log_q = -tf.nn.sigmoid_cross_entropy_with_logits(
            labels=b, logits=tf.broadcast_to(q.logits, tf.shape(b))
        )
        return f(b) + tf.reduce_sum(log_q, -1)

    return with_log_q


def _detached(q):
    return tfrd.Bernoulli(logits=tf.stop_gradient(q.logits))


@pytest.mark.parametrize("num_samples", [1, 3])
def test_estimate_adds_the_part_through_f(num_samples):
    vae = paths.TinyVae()
    q, constant = vae.q(), _detached(vae.q())
    options = {"seed": _SEED, "num_samples": num_samples}
    found = vae.estimator.estimate(_with_log_q(q, vae.f), q, **options)
    fixed = vae.estimator.estimate(_with_log_q(constant, vae.f), q, **options)
    # d log q(b) / d logits, at the hard sample.
    partial = found.sample - tf.sigmoid(q.logits)
    if num_samples > 1:
        partial = tf.reduce_mean(partial, 0)
    paths.assert_close(
        found.gradients["logits"], fixed.gradients["logits"] + partial
    )
    for x, y in zip(
        found.variance_gradients, fixed.variance_gradients, strict=True
    ):
        paths.assert_close(x, y)


def test_expectation_adds_the_part_through_f():
    vae = paths.TinyVae()
    with tf.GradientTape() as tape:
        q = vae.q()
        values = tfr.expectation(
            _with_log_q(q, vae.f), q, estimator=vae.estimator, seed=_SEED
        )
        loss = tf.reduce_sum(values)
    q = vae.q()
    estimate = vae.estimator.estimate(_with_log_q(q, vae.f), q, seed=_SEED)
    paths.assert_close(
        tape.gradient(loss, vae.encoder),
        tf.transpose(vae.images) @ estimate.gradients["logits"],
    )


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("c", ["good", "network"])
def test_unbiased_where_f_depends_on_the_parameters(c, num_samples, vary_seed):
    family = cases.FAMILIES["bernoulli"]
    estimator = cases.estimator_of("relax", "bernoulli", c)

    def f_of(q):  # Not of zero mean, other than log q itself.
        log_q = _with_log_q(q, family.f)
        return lambda b: log_q(b) + b[..., 0] * q.logits[..., 1] ** 2

    rows = family.rows(cases.NUM_DRAWS)
    draws = estimator.estimate(
        f_of(rows),
        rows,
        seed=cases.seed_of(c, num_samples, vary_seed=vary_seed),
        num_samples=num_samples,
    ).gradients
    one = family.make(**family.tensors())
    testing.assert_unbiased(
        draws,
        testing.exact_gradient(one, f_of(one)),
        num_tests=4,
        detects=0.3,
    )


def test_weight_gradients_add_the_part_through_f():
    vae = paths.TinyVae()
    with tf.GradientTape() as tape:
        q = vae.q()
        values = tfr.expectation(
            _with_log_q(q, vae.f), q, estimator=vae.estimator, seed=_SEED
        )
        loss = tf.reduce_mean(values)
    sources = [vae.encoder, vae.decoder]
    made = []

    def make_distribution():
        made.append(vae.q())
        return made[0]

    result = tfr.weight_gradients(
        lambda b: _with_log_q(made[0], vae.f)(b),
        make_distribution,
        sources,
        estimator=vae.estimator,
        seed=_SEED,
    )
    paths.assert_close(result.value, loss)
    for x, y in zip(
        result.gradients, tape.gradient(loss, sources), strict=True
    ):
        paths.assert_close(x, y)


# --- f is a black box ------------------------------------------------------


def _black_box(b):
    b = np.asarray(b)
    return (b.sum(-1) - 1.2) ** 2 + np.sin(b[..., 0])


def _black_box_gradients(mode, num_samples, distribution):
    network = cv.Network((3,), "tanh", dtype="float64")
    parameter = tf.Variable(
        [[0.2, -1.0], [0.5, 2.0], [0.1, 0.3]], dtype=tf.float64
    )
    network.build((None, 2))

    @cases.MODES[mode]
    def gradients(seed):
        with tf.GradientTape() as tape:
            q, estimator = distribution(parameter, network)
            values = tfr.expectation(
                _black_box,
                q,
                estimator=estimator,
                seed=seed,
                num_samples=num_samples,
            )
            loss = tf.reduce_mean(values)
        return tape.gradient(loss, [parameter, *network.trainable_variables])

    return gradients(tf.constant(_SEED))


def _bernoulli(parameter, network):
    return tfrd.Bernoulli(logits=parameter), tfr.RELAX(network)


def _normal_of_one_scale(parameter, network):
    scale = tf.exp(parameter[0, 0])  # Shared by all examples.
    return tfrd.Normal(loc=parameter, scale=scale), tfr.LAX(network)


@pytest.mark.parametrize("num_samples", [1, 3])
@pytest.mark.parametrize("distribution", [_bernoulli, _normal_of_one_scale])
def test_numpy_f_is_the_same_in_graph_mode(distribution, num_samples):
    for eager, graph in zip(
        _black_box_gradients("eager", num_samples, distribution),
        _black_box_gradients("graph", num_samples, distribution),
        strict=True,
    ):
        paths.assert_close(graph, eager)


def test_numpy_f_has_the_estimate_of_the_same_f_in_tensorflow():
    q = tfrd.Bernoulli(logits=tf.constant([[0.2, -1.0], [0.5, 2.0]]))
    in_tensorflow = lambda b: (
        (tf.reduce_sum(b, -1) - 1.2) ** 2 + tf.sin(b[..., 0])
    )
    c = lambda z: tf.reduce_sum(tf.tanh(z), -1)
    x = q.relax_gradient(_black_box, c, seed=_SEED).gradients["logits"]
    y = q.relax_gradient(in_tensorflow, c, seed=_SEED).gradients["logits"]
    np.testing.assert_allclose(x, y, rtol=1e-5)  # float32


# --- Where it is called ----------------------------------------------------


def _step(vae, seed):
    """One step of gradient descent on everything."""
    with tf.GradientTape() as tape:
        values = tfr.expectation(
            vae.f, vae.q(), estimator=vae.estimator, seed=seed
        )
        loss = tf.reduce_mean(values)
    for v, g in zip(
        _all_variables(vae),
        tape.gradient(loss, _all_variables(vae)),
        strict=True,
    ):
        v.assign_sub(0.1 * g)
    return loss


def test_steps_in_a_while_loop_under_xla_are_single_steps():
    @tf.function(jit_compile=True, autograph=False)
    def one(index):
        return _step(single, tf.stack([7, index]))

    @tf.function(jit_compile=True, autograph=False)
    def many(num_steps):
        def body(index):
            _step(looped, tf.stack([7, index]))
            return (index + 1,)

        tf.while_loop(lambda i: i < num_steps, body, (tf.constant(0),))

    single, looped = paths.TinyVae(), paths.TinyVae()
    many(tf.constant(3))
    for index in range(3):
        one(tf.constant(index))
    for x, y in zip(
        _all_variables(single), _all_variables(looped), strict=True
    ):
        paths.assert_close(x, y)


def test_graph_mode_gives_what_eager_mode_gives():
    eager, graph = paths.TinyVae(), paths.TinyVae()
    _step(eager, tf.constant([7, 1]))
    tf.function(_step)(graph, tf.constant([7, 1]))
    for x, y in zip(_all_variables(eager), _all_variables(graph), strict=True):
        paths.assert_close(x, y)


class _Bits(keras.Model):
    """Fits bits to targets: the optimum of E[(b - t)^2] is round(t)."""

    def __init__(self):
        super().__init__()
        self.encoder = keras.layers.Dense(3, kernel_initializer="zeros")
        self.estimator = tfr.REBAR()
        self.control_variate = self.estimator.control_variate

    def call(self, x):
        return tf.sigmoid(self.encoder(x))

    def train_step(self, data):
        x, target = data
        step = tf.cast(self.optimizer.iterations, tf.int32)
        f = lambda b: tf.reduce_sum((b - target) ** 2, -1)
        with tf.GradientTape() as tape:
            values = tfr.expectation(
                f,
                tfrd.Bernoulli(logits=self.encoder(x)),
                estimator=self.estimator,
                seed=tf.stack([0, step]),
            )
            loss = tf.reduce_mean(values)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_in_a_keras_train_step(jit_compile):
    keras.utils.set_random_seed(0)
    x = np.eye(4, dtype=np.float32).repeat(16, axis=0)
    target = x[:, :3] * 0.6 + 0.2  # 0.8 on the diagonal.
    model = _Bits()
    model.compile(optimizer=keras.optimizers.Adam(0.1), jit_compile=jit_compile)
    model.fit(x, target, epochs=60, batch_size=32, verbose=0)
    np.testing.assert_array_equal(np.round(model.call(x)), np.round(target))
    assert len(model.trainable_variables) == 4  # With temperature and scale.


def test_maximising_and_minimising_train_the_control_variate_alike():
    logits = tf.Variable([[0.3, -0.8, 0.1]])
    estimator = tfr.REBAR()

    def by_variables(sign):
        with tf.GradientTape() as tape:
            q = tfr.distributions.Bernoulli(logits=logits)
            value = tfr.expectation(
                lambda b: sign * tf.reduce_sum(b, -1) ** 2,
                q,
                estimator=estimator,
                seed=(0, 0),
            )
            loss = sign * tf.reduce_mean(value)
        return tape.gradient(loss, estimator.trainable_variables)

    plus, minus = by_variables(1.0), by_variables(-1.0)
    assert any(abs(float(g)) > 1e-3 for g in plus)
    np.testing.assert_allclose(plus, minus, rtol=1e-6)


def test_an_estimate_is_a_constant_to_an_outer_tape():
    logits = tf.Variable([[0.3, -0.8, 0.1]])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            q = tfr.distributions.Bernoulli(logits=logits)
            loss = tfr.expectation(
                lambda b: tf.reduce_sum(b, -1) ** 2,
                q,
                estimator=tfr.REBAR(),
                seed=(0, 0),
            )
        gradient = tape.gradient(loss, logits)
    assert outer.gradient(gradient, logits) is None


def test_seeds_may_hold_variables():
    q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
    f = lambda b: tf.reduce_sum(b, -1)
    samples = [
        q.reinforce_gradient(f, seed=seed).sample
        for seed in (
            (3, 7),
            [3, tf.Variable(7)],
            (3, keras.Variable(7, dtype="int64", trainable=False)),
        )
    ]
    np.testing.assert_array_equal(samples[0], samples[1])
    np.testing.assert_array_equal(samples[0], samples[2])
