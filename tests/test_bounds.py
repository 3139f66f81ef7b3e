"""Bounds of several samples: value, whole gradient, oracles, a model."""

import itertools

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import testing

tfrd = tfr.distributions
_LOGITS = [-1.0, 0.3, 1.5]
_NUM_DRAWS = 50_000
_RATES = {"false_fail_rate": 1e-6, "num_tests": 10}


def _log_joint(weight):
    """Log p(x, b) of three bits, not additive over them."""

    def log_joint(b):
        mixed = 2.0 * b[..., 0] * b[..., 1] - 1.5 * b[..., 1] * b[..., 2]
        return tf.tanh(weight * tf.reduce_sum(b, -1)) + mixed - 1.0

    return log_joint


def _exact(num_samples):
    """The derivatives of E[L] by logits and weight, over all outcomes."""
    logits = tf.constant(_LOGITS, tf.float64)
    weight = tf.constant(0.7, tf.float64)
    bits = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
    tuples = tf.constant(list(itertools.product(bits, repeat=num_samples)))
    with tf.GradientTape() as tape:
        tape.watch([logits, weight])
        log_q = tf.reduce_sum(tfrd.Bernoulli(logits).log_prob(tuples), -1)
        log_w = _log_joint(weight)(tuples) - log_q
        bound = tf.reduce_logsumexp(log_w, -1) - np.log(num_samples)
        mean = tf.reduce_sum(tf.exp(tf.reduce_sum(log_q, -1)) * bound)
    gradients = tape.gradient(mean, [logits, weight])
    return np.asarray(mean), [np.asarray(x) for x in gradients]


_BERNOULLI_CASES = [
    ("vimco", 2, 2, "eager"),
    ("vimco", 2, 2, "xla"),
    ("vimco", 3, 3, "graph"),
    # Evaluations, and the samples of its bound.
    ("disarm_bound", 4, 2, "xla"),
    ("disarm_bound", 6, 3, "graph"),
]


@pytest.mark.parametrize(
    "case", _BERNOULLI_CASES, ids=lambda case: "-".join(map(str, case))
)
def test_the_whole_gradient_of_a_bound(case, vary_seed):
    name, num_samples, of_bound, mode = case

    @cases.MODES[mode]
    def draw(seed):
        shape = [_NUM_DRAWS, 3]
        logits = tf.broadcast_to(tf.constant(_LOGITS, tf.float64), shape)
        weight = tf.fill([_NUM_DRAWS], tf.constant(0.7, tf.float64))
        with tf.GradientTape() as tape:
            tape.watch([logits, weight])
            bound = tfr.multi_sample_bound(
                _log_joint(weight),
                tfrd.Bernoulli(logits),
                estimator=tfr.estimators.get(name),
                num_samples=num_samples,
                seed=seed,
            )
        return bound, tape.gradient(bound, [logits, weight])

    value, gradients = draw(cases.seed_of(*case, vary_seed=vary_seed))
    mean, exact = _exact(of_bound)
    testing.assert_unbiased(value, mean, **_RATES)
    for found, expected in zip(gradients, exact, strict=True):
        testing.assert_unbiased(found, expected, detects=0.3, **_RATES)


def _exact_normal(loc, scale, num_nodes=80):
    """The same for two samples of one normal, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(num_nodes)
    weights /= weights.sum()
    noise = tf.constant(list(itertools.product(nodes, repeat=2)))
    mass = np.array(list(itertools.product(weights, repeat=2))).prod(-1)
    loc, scale = tf.constant(loc, tf.float64), tf.constant(scale, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([loc, scale])
        b = loc + scale * noise
        log_w = _log_normal_joint(b) - tfrd.Normal(loc, scale).log_prob(b)
        bound = tf.reduce_logsumexp(log_w, -1) - np.log(2.0)
        mean = tf.reduce_sum(mass * bound)
    return [np.asarray(x) for x in tape.gradient(mean, [loc, scale])]


def _log_normal_joint(b):
    return -0.5 * (b - 1.0) ** 2 + 0.3 * tf.sin(b)


@pytest.mark.parametrize("estimator", [tfr.DReG(), tfr.VIMCO()])
def test_bounds_of_a_normal(estimator, vary_seed):
    loc, scale = 0.2, 0.8

    @tf.function(jit_compile=True, autograph=False)
    def draw(seed):
        q = tfrd.Normal(
            loc=tf.fill([_NUM_DRAWS], tf.constant(loc, tf.float64)),
            scale=tf.fill([_NUM_DRAWS], tf.constant(scale, tf.float64)),
        )
        parameters = list(q.given_parameters().values())
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            bound = tfr.multi_sample_bound(
                _log_normal_joint, q, estimator=estimator, seed=seed
            )
        return tape.gradient(bound, parameters)

    exact = _exact_normal(loc, scale)
    draws = draw(cases.seed_of("normal_bound", vary_seed=vary_seed))
    for found, expected in zip(draws, exact, strict=True):
        testing.assert_unbiased(found, expected, detects=0.3, **_RATES)


def test_dreg_of_the_posterior_itself_has_no_variance():
    q = tfrd.Normal(loc=tf.zeros([100], tf.float64), scale=1.0)
    loc = q.given_parameters()["loc"]
    posterior = lambda b: -0.5 * b**2
    with tf.GradientTape() as tape:
        tape.watch(loc)
        bound = tfr.multi_sample_bound(
            posterior, q, estimator=tfr.DReG(), num_samples=4, seed=(0, 0)
        )
    np.testing.assert_allclose(tape.gradient(bound, loc), 0.0, atol=1e-12)


def test_a_bound_of_one_pair_is_disarm():
    family = cases.FAMILIES["bernoulli"]
    options = {"seed": (4, 4), "num_samples": 2}
    found, known = (
        estimator.estimate(family.f, family.rows(20), **options)
        for estimator in (tfr.DisARMBound(), tfr.DisARM())
    )
    np.testing.assert_allclose(found.value, known.value)
    np.testing.assert_allclose(
        found.gradients["logits"], known.gradients["logits"]
    )


def test_weights_of_any_size_are_finite():
    q = tfrd.Bernoulli(logits=tf.zeros([50, 3]))
    f = lambda b: 1e4 * tf.reduce_sum(b, -1)
    for estimator in (tfr.VIMCO(), tfr.DisARMBound()):
        estimate = estimator.estimate(f, q, seed=(0, 0), num_samples=4)
        assert np.isfinite(estimate.gradients["logits"]).all()


def test_a_black_box_in_a_graph():
    q = tfrd.Bernoulli(logits=tf.zeros([5, 3]))
    f = lambda b: np.asarray(b).sum(-1)
    for estimator in (tfr.VIMCO(), tfr.DisARMBound()):
        run = tf.function(
            lambda e=estimator: e.estimate(f, q, seed=(0, 0), num_samples=4)
        )
        eager = estimator.estimate(f, q, seed=(0, 0), num_samples=4)
        np.testing.assert_allclose(
            run().gradients["logits"], eager.gradients["logits"], rtol=1e-5
        )


def test_a_chain_is_unbiased(vary_seed):
    """Both layers by VIMCO; the upper one's logits are of the lower bits."""
    lower, upper = [-0.5, 0.8], [0.4, -1.0]
    weights = tf.constant([[1.0, -1.0], [0.5, 2.0]], tf.float64)
    of_bits = lambda a, b: (
        tf.reduce_sum(a, -1) * b[..., 0] - 1.5 * a[..., 1] * b[..., 1]
    )

    def chain(lower, upper):
        above = lambda a: tfrd.Bernoulli(upper + tf.linalg.matvec(weights, a))
        return tfrd.Chain(tfrd.Bernoulli(lower), above)

    @tf.function(jit_compile=True, autograph=False)
    def draw(seed):
        rows = [
            tf.broadcast_to(tf.constant(x, tf.float64), [_NUM_DRAWS, 2])
            for x in (lower, upper)
        ]
        with tf.GradientTape() as tape:
            tape.watch(rows)
            loss = tfr.expectation(
                of_bits,
                chain(*rows),
                estimator=[tfr.VIMCO(), tfr.VIMCO()],
                num_samples=2,
                seed=seed,
            )
        return tape.gradient(loss, rows)

    bits = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
    pairs = tf.constant(list(itertools.product(bits, repeat=2)))
    a, b = pairs[..., :2], pairs[..., 2:]
    parameters = [tf.constant(x, tf.float64) for x in (lower, upper)]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        q = chain(*parameters)
        log_q = q.first.log_prob(a) + q.conditionals[0](a).log_prob(b)
        p = tf.exp(tf.reduce_sum(log_q, [-2, -1]))
        loss = tfr.VIMCO().combine(tf.transpose(of_bits(a, b)), None)
        mean = tf.reduce_sum(p * loss)
    exact = tape.gradient(mean, parameters)
    draws = draw(cases.seed_of("chain_bound", vary_seed=vary_seed))
    for found, expected in zip(draws, exact, strict=True):
        testing.assert_unbiased(found, expected, detects=0.3, **_RATES)


def test_layers_of_a_mean_and_of_a_bound():
    q = tfrd.Chain(
        tfrd.Bernoulli(logits=tf.zeros([2, 3])),
        lambda b: tfrd.Bernoulli(logits=b),
    )
    with pytest.raises(ValueError, match="same bound.*'VIMCO', 'LeaveOneOut'"):
        tfr.expectation(
            lambda a, b: tf.reduce_sum(a + b, -1),
            q,
            estimator=[tfr.VIMCO(), tfr.LeaveOneOut()],
            seed=(0, 0),
        )


def test_pairs_above_the_first_layer():
    with pytest.raises(TypeError, match=r"estimator=\[VIMCO\(\), VIMCO\(\)\]"):
        tfr.models.DiscreteVAE("linear2", 4, estimator="disarm_bound")


def test_an_estimator_of_another_kind():
    q = tfrd.Bernoulli(logits=tf.zeros([2, 3]))
    with pytest.raises(TypeError, match="VIMCO.*Received.*Use `expectation`"):
        tfr.multi_sample_bound(
            lambda b: tf.reduce_sum(b, -1),
            q,
            estimator=tfr.LeaveOneOut(),
            seed=(0, 0),
        )


@pytest.mark.parametrize("architecture", ["linear1", "linear2"])
def test_a_vae_trains_the_bound_with_log_q(architecture):
    """Its loss has the derivative by the weights that autodiff has."""
    images = (np.arange(6 * 784) % 5 == 0).reshape(6, 784).astype("float32")
    vae = tfr.models.DiscreteVAE(
        architecture, 4, estimator="vimco", num_samples=3
    )
    vae.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    before = vae.evaluate(images, verbose=0, return_dict=True)
    q = vae.posterior(images)
    first = getattr(q, "first", q)
    loss = vae.negative_elbo(q, tf.constant(images))
    samples = [first.draw((0, 0), 3).sample]
    if first is not q:
        samples.append(q.conditionals[0](samples[0]).draw((0, 1)).sample)
    with tf.GradientTape() as tape:
        tape.watch(first.logits)
        value = loss(*samples)
    score = samples[0] - tf.sigmoid(first.logits)
    np.testing.assert_allclose(
        tape.gradient(value, first.logits),
        tf.reduce_sum(score, 0),
        rtol=1e-4,
        atol=1e-5,
    )
    history = vae.fit(images, epochs=30, batch_size=6, verbose=0)
    assert history.history["elbo"][-1] > before["elbo"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_log_joint_may_have_another_dtype(dtype):
    q = tfrd.Bernoulli(logits=tf.constant(_LOGITS, dtype))
    arguments = dict(estimator=tfr.VIMCO(), num_samples=3, seed=(0, 0))
    log_joint = lambda b: np.sum(np.asarray(b), -1, dtype="float64") - 4.0
    bound = tfr.multi_sample_bound(log_joint, q, **arguments)
    again = tfr.multi_sample_bound(
        lambda b: tf.reduce_sum(tf.cast(b, tf.float32), -1) - 4.0,
        q,
        **arguments,
    )
    np.testing.assert_allclose(float(bound), float(again), rtol=1e-6)


def test_what_is_no_log_joint_or_no_single_distribution_is_named():
    q = tfrd.Bernoulli(logits=_LOGITS)
    arguments = dict(estimator=tfr.VIMCO(), seed=(0, 0))
    with pytest.raises(ValueError, match="`log_joint` must return floating"):
        tfr.multi_sample_bound(
            lambda b: tf.cast(tf.reduce_sum(b, -1), tf.int32), q, **arguments
        )
    chain = tfrd.Chain(q, lambda b: tfrd.Bernoulli(logits=b))
    with pytest.raises(TypeError, match="an estimator for each layer"):
        tfr.multi_sample_bound(lambda *b: 0.0, chain, **arguments)


def test_arguments_are_the_functions_own():
    q = tfrd.Bernoulli(logits=_LOGITS)
    with pytest.raises(TypeError, match="multi_sample_bound.*num_sample'"):
        tfr.multi_sample_bound(
            lambda b: 0.0, q, estimator=tfr.VIMCO(), seed=(0, 0), num_sample=3
        )


def test_vimco_is_finite_where_some_samples_are_impossible():
    f = lambda b: tf.where(
        b[..., 0] > 0.5, tf.constant(np.inf, b.dtype), tf.reduce_sum(b, -1)
    )
    logits = tf.constant([0.0, 0.5, 1.0], tf.float64)
    q = tfrd.Bernoulli(logits=logits)
    estimate = tfr.VIMCO().estimate(f, q, seed=(0, 0), num_samples=5)
    b = estimate.sample.numpy()
    w = np.exp(-f(estimate.sample).numpy())
    assert 0 < np.sum(w == 0.0) <= 3
    bound, expected = np.log(w.mean()), 0.0
    for k in range(5):
        others = np.delete(w, k)
        own = np.prod(others) ** 0.25  # Their geometric mean.
        without = np.log((others.sum() + own) / 5)
        score = b[k] - 1.0 / (1.0 + np.exp(-logits.numpy()))
        expected = expected - (bound - without) * score
    np.testing.assert_allclose(estimate.gradients["logits"], expected)
