"""Errors say what was expected, what was received, and what to do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tf_relax as tfr
from tf_relax import control_variates as cv
from tf_relax import rl

tfrd = tfr.distributions
_SEED = (1, 2)
_Q = tfrd.Bernoulli(logits=tf.zeros([4, 3]))
_CLASSES = tfrd.OneHotCategorical(logits=tf.zeros([4, 3]))
_NORMAL = tfrd.Normal(loc=tf.zeros([4, 3]), scale=1.0)


def _f(b):
    return tf.reduce_sum(b, -1)


def _black_box(b):
    return np.asarray(b).sum(-1)


@pytest.mark.parametrize(
    ("q", "f", "received"),
    [
        (_Q, lambda b: b[:2, 0], r"f\(b\).shape=\(2,\), b.shape=\(4, 3\)"),
        (_Q, lambda b: tf.transpose(b), r"f\(b\).shape=\(3, 4\)"),
        (_Q, lambda b: b[..., tf.newaxis], r"f\(b\).shape=\(4, 3, 1\)"),
        (_Q, lambda b: tf.reduce_sum(b, 0), r"f\(b\).shape=\(3,\)"),
        (_CLASSES, lambda b: b, r"here \(4,\).*f\(b\).shape=\(4, 3\)"),
    ],
    ids=["cut", "transposed", "too_long", "wrong_axis", "one_hot_axis"],
)
def test_f_of_the_wrong_shape(q, f, received):
    with pytest.raises(ValueError, match=received):
        q.reinforce_gradient(f, seed=_SEED)


def test_f_that_reduces_the_axis_of_samples():
    with pytest.raises(ValueError, match=r"with that of the samples.*\(\)"):
        _Q.reinforce_gradient(tf.reduce_sum, seed=_SEED, num_samples=3)


def test_numpy_f_of_the_wrong_shape_in_graph_mode():
    @tf.function
    def gradient():
        f = lambda b: np.asarray(b)[:2, 0]
        return _Q.reinforce_gradient(f, seed=_SEED).gradients

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"shape=\(2,\)"):
        gradient()


def test_f_of_integers():
    with pytest.raises(ValueError, match="dtype=int32. Cast f.b. to float32"):
        _Q.reinforce_gradient(lambda b: tf.cast(_f(b), tf.int32), seed=_SEED)


@pytest.mark.parametrize(
    ("c", "received"),
    [
        (lambda z: z, r"c\(z\).shape=\(4, 3\), f\(b\).shape=\(4,\)"),
        (lambda z: _f(z)[:2], r"c\(z\).shape=\(2,\)"),
        (lambda z: tf.cast(_f(z), tf.int32), "dtype=int32"),
        (_black_box, "a NumPy array"),
    ],
    ids=["not_reduced", "cut", "integer", "numpy"],
)
@pytest.mark.parametrize("coupled", [True, False])
def test_wrong_control_variate(c, received, coupled):
    with pytest.raises(ValueError, match=received):
        _Q.relax_gradient(_f, c, seed=_SEED, coupled=coupled)


@pytest.mark.parametrize(
    "seed", [3, None, (1, 2, 3), (0.5, 1.0), [[1, 2]], "ab", np.int64(3)]
)
def test_seed_that_is_not_two_integers(seed):
    with pytest.raises(ValueError, match="two integers.*Received: seed="):
        _Q.reinforce_gradient(_f, seed=seed)


def test_seed_is_a_required_keyword():
    with pytest.raises(TypeError, match="seed"):
        _Q.reinforce_gradient(_f)


@pytest.mark.parametrize(
    ("estimator", "num_samples"),
    [(tfr.LeaveOneOut(), 1), (tfr.Reinforce(), 0), (tfr.REBAR(), -1)],
)
def test_too_few_samples(estimator, num_samples):
    with pytest.raises(ValueError, match=f"num_samples={num_samples}"):
        estimator.estimate(_f, _Q, seed=_SEED, num_samples=num_samples)


@pytest.mark.parametrize(
    ("q", "method", "arguments", "message"),
    [
        (_NORMAL, "relax", [_f], "RELAX.*Received: Normal.*`lax_gradient`"),
        (_NORMAL, "dlax", [_f], "DLAX.*Received: Normal.*`lax_gradient`"),
        (_NORMAL, "rebar", [], "REBAR.*Received: Normal.*`lax_gradient`"),
        (_Q, "lax", [_f], "LAX.*Received: Bernoulli.*`relax_gradient`"),
        (_CLASSES, "lax", [_f], "Received: OneHotCategorical.*`relax_grad"),
        (_CLASSES, "disarm", [], "Received: OneHot.*Use DisARMSB or `relax_g"),
        (_NORMAL, "disarm", [], "needs a Bernoulli.*Use `lax_gradient`"),
        (_CLASSES, "arms", [], "needs a Bernoulli.*Use CARMS or `relax_gr"),
        (_NORMAL, "double_cv", [], "DoubleCV needs a discrete.*`lax_gradient`"),
    ],
    ids=lambda x: x if isinstance(x, str) and x.isalpha() else "",
)
def test_estimator_that_is_not_valid_here(q, method, arguments, message):
    with pytest.raises(TypeError, match=message):
        getattr(q, f"{method}_gradient")(_f, *arguments, seed=_SEED)


@pytest.mark.parametrize(
    ("estimator", "q", "instead"),
    [
        (tfr.ARM(), _CLASSES, "DisARMSB or `relax_gradient`"),
        (tfr.DisARMSB(), _Q, "DisARM or `relax_gradient`"),
        (tfr.CARMS(), _Q, "ARMS or `relax_gradient`"),
        (tfr.Enumeration(), _NORMAL, "`lax_gradient`"),
        (tfr.StraightThrough(), _NORMAL, "`lax_gradient`"),
    ],
    ids=["arm", "disarm_sb", "carms", "enumeration", "straight_through"],
)
def test_estimator_object_that_is_not_valid_here(estimator, q, instead):
    message = f"needs a.*Received: {type(q).__name__}. Use {instead}"
    with pytest.raises(TypeError, match=message):
        estimator.estimate(_f, q, seed=_SEED)


@pytest.mark.parametrize(
    ("estimator", "num_samples"),
    [(tfr.ARM(), 3), (tfr.DisARM(), 1), (tfr.DisARM(), 5)],
)
def test_pairs_of_samples(estimator, num_samples):
    message = f">= 2, a multiple of 2. Received: num_samples={num_samples}"
    with pytest.raises(ValueError, match=message):
        estimator.estimate(_f, _Q, seed=_SEED, num_samples=num_samples)


@pytest.mark.parametrize(
    ("estimator", "q", "num_samples", "message"),
    [
        (tfr.UnorderedSet(), _Q, 9, "at most 8 different.*num_samples=9"),
        (
            tfr.Enumeration(),
            tfrd.Bernoulli(tf.zeros([2, 17])),
            None,
            r"2\*\*17.*LocalExpectation",
        ),
        (tfr.Enumeration(3), _Q, None, r"event_ndims=3, b.shape=\(4, 3\)"),
        (tfr.Enumeration(2), _Q, None, r"another `event_ndims`.*\(4096, 4\)"),
    ],
    ids=["samples", "outcomes", "axes", "f"],
)
def test_too_many_outcomes(estimator, q, num_samples, message):
    with pytest.raises(ValueError, match=message):
        estimator.estimate(_f, q, seed=_SEED, num_samples=num_samples)


@pytest.mark.parametrize(
    "estimator",
    [tfr.DoubleCV(), tfr.MuProp(), tfr.StraightThrough(), tfr.ReinMax()],
    ids=lambda x: type(x).__name__,
)
def test_derivative_of_a_black_box(estimator):
    with pytest.raises(ValueError, match="f whose value has no gradient"):
        estimator.estimate(_black_box, _Q, seed=_SEED)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tfr.GumbelStraightThrough(0.0),
        lambda: tfr.GappedStraightThrough(gap=-1.0),
        lambda: tfr.GumbelRao(resamples=0),
    ],
)
def test_numbers_outside_their_range(make):
    with pytest.raises(ValueError, match="Received: "):
        make()


def test_relaxed_f_of_a_continuous_distribution():
    estimator = tfr.LAX(cv.RelaxedFunction())
    with pytest.raises(TypeError, match="Received: Normal. Use a Network"):
        estimator.estimate(_f, _NORMAL, seed=_SEED)


def test_rebar_of_a_black_box():
    with pytest.raises(ValueError, match="REBAR.*RELAX with a .*Network"):
        _Q.rebar_gradient(_black_box, seed=_SEED)
    with pytest.raises(ValueError, match="REBAR.*RELAX with a .*Network"):
        tfr.REBAR().estimate(_black_box, _Q, seed=_SEED)


def test_rebar_of_a_black_box_in_graph_mode():
    @tf.function(autograph=False)
    def gradient():
        return _Q.rebar_gradient(_black_box, seed=_SEED).gradients

    with pytest.raises(ValueError, match="REBAR.*RELAX with a .*Network"):
        gradient()


@pytest.mark.parametrize("estimator", [tfr.LeaveOneOut(), tfr.REBAR()])
def test_an_f_that_branches_on_a_tensor(estimator):
    """Called from Python, its variables would lose their gradient."""
    w = tf.Variable(2.0)

    def f(b):
        total = w * tf.reduce_sum(b, -1)
        return total if tf.reduce_sum(b) > 2.0 else -total

    def gradient(f):
        with tf.GradientTape() as tape:
            loss = tfr.expectation(f, _Q, estimator=estimator, seed=_SEED)
        return tape.gradient(loss, w)

    graph = tf.function(gradient, autograph=False)
    with pytest.raises((TypeError, ValueError), match=r"tf\.function\(f\)"):
        graph(f)
    np.testing.assert_allclose(graph(tf.function(f)), gradient(f), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "closest"), [("relex", "relax"), ("Rebar", "rebar")]
)
def test_unknown_name_of_an_estimator(name, closest):
    with pytest.raises(ValueError, match=f"'{name}'.*mean '{closest}'.*dlax"):
        tfr.estimators.get(name)


def test_known_names_of_estimators():
    for name in tfr.estimators.names():
        arguments = {"control_variate": _f} if "lax" in name else {}
        estimator = tfr.estimators.get(name, **arguments)
        assert isinstance(estimator, tfr.Estimator)


@pytest.mark.parametrize("family", ["Bernoulli", "OneHotCategorical"])
def test_samples_of_integers(family):
    with pytest.raises(ValueError, match="floating.*dtype=int32"):
        getattr(tfrd, family)(logits=[0.0, 0.0], dtype=tf.int32)


@pytest.mark.parametrize("family", ["Bernoulli", "OneHotCategorical"])
def test_logits_and_probs(family):
    make = getattr(tfrd, family)
    with pytest.raises(ValueError, match="but not both"):
        make(logits=[0.0, 0.0], probs=[0.5, 0.5])
    with pytest.raises(ValueError, match="probs.* or .*logits"):
        make()


def test_normal_of_no_parameters():
    with pytest.raises(ValueError, match="`loc`, `scale_diag` or both"):
        tfrd.MultivariateNormalDiag()


def test_independent_of_a_distribution_of_tfp():
    import tensorflow_probability as tfp

    with pytest.raises(TypeError, match="Received: .*Bernoulli.*tfd.Indep"):
        tfrd.Independent(tfp.distributions.Bernoulli(logits=[0.0]), 1)


def test_f_that_returns_nothing():
    with pytest.raises(ValueError, match="`f` must return a tensor.*: None"):
        tfrd.Bernoulli(logits=[0.0]).reinforce_gradient(
            lambda b: None, seed=(0, 0)
        )


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, "0.5", None])
def test_temperature_that_is_no_positive_number(temperature):
    with pytest.raises(ValueError, match=f"temperature={temperature!r}"):
        tfr.REBAR(temperature)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_decay_outside_its_range(decay):
    with pytest.raises(ValueError, match=f"decay={decay}"):
        tfr.estimators.MovingAverage(decay)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda f, q: tfr.expectation(
                f,
                tfp.distributions.Bernoulli(logits=tf.zeros([3])),
                estimator=tfr.REBAR(),
                seed=(0, 0),
            ),
            "tf_relax.distributions.Bernoulli in its place",
        ),
        (
            lambda f, q: tfr.expectation(
                f, q, estimator=tfr.REBAR, seed=(0, 0)
            ),
            "must be an object such as",
        ),
        (
            lambda f, q: q.relax_gradient(f, None, seed=(0, 0)),
            "must be callable",
        ),
        (
            lambda f, q: q.relax_gradient(f, cv.Network, seed=(0, 0)),
            r"such as tf_relax.control_variates.Network\(\)",
        ),
    ],
    ids=["tfp", "class", "none", "class_of_c"],
)
def test_common_slips_are_type_errors_that_say_what_to_do(call, message):
    q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
    with pytest.raises(TypeError, match=message):
        call(lambda b: tf.reduce_sum(b, -1), q)


@pytest.mark.parametrize("hidden", [5, "20", (10, 0), (2.0,), None])
@pytest.mark.parametrize(
    "make",
    [
        cv.Network,
        lambda hidden: rl.Perceptrons(4, hidden, 2),
        lambda hidden: tfr.models.named_estimator("relax", hidden=hidden),
    ],
    ids=["network", "perceptrons", "named"],
)
def test_widths_that_are_none(make, hidden):
    with pytest.raises(ValueError, match=r"`hidden` .*such as \(.*hidden="):
        make(hidden=hidden)


@pytest.mark.parametrize("estimator", ["ARM", "DisARM", "ARMS", "LeaveOneOut"])
def test_an_undefined_logit_is_not_hidden(estimator):
    q = tfrd.Bernoulli(logits=[0.0, np.nan, 1.0])
    f = lambda b: tf.reduce_sum(b, -1) ** 2
    found = getattr(tfr, estimator)().estimate(f, q, seed=_SEED)
    np.testing.assert_array_equal(
        np.isnan(found.gradients["logits"]), [False, True, False]
    )


def test_a_temperature_of_zero_is_refused():
    q = tfr.distributions.Bernoulli(logits=tf.zeros([3]))
    with pytest.raises(ValueError, match="temperature=0"):
        q.rebar_gradient(
            lambda b: tf.reduce_sum(b, -1), seed=(0, 0), temperature=0.0
        )


def test_a_control_variate_takes_all_that_it_is_given():
    with pytest.raises(TypeError, match=r"call\(self, z, f=None, squash"):

        class Short(tfr.ControlVariate):
            def call(self, z):
                return z


def _loss_with(c):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            tfr.expectation(_f, _Q, estimator=tfr.RELAX(c), seed=_SEED)
        )
    return tape.gradient(loss, c.trainable_variables)


class _DenseInside(tfr.ControlVariate):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, z, f=None, squash=None, context=None):
        return self.dense(z)[..., 0]


def test_a_control_variate_builds_the_layers_inside():
    with pytest.raises(TypeError, match="no such method, and the layer dense"):
        _loss_with(_DenseInside())

    class Built(_DenseInside):
        def build(self, z_shape, context_shape=None):
            self.dense.build(z_shape)

    gradients = _loss_with(Built())
    assert [x.shape for x in gradients] == [(3, 1), (1,)]
    assert all(np.any(x) for x in gradients)

    with pytest.raises(TypeError, match=r"z_shape, .*Received: Other.build"):

        class Other(_DenseInside):
            def build(self, input_shape):
                self.dense.build(input_shape)


def test_weights_made_at_once_need_no_build():
    class Constant(tfr.ControlVariate):
        def __init__(self):
            super().__init__()
            self.weight = self.add_weight(shape=(), initializer="ones")
            self.activation = keras.layers.Activation("tanh")

        def call(self, z, f=None, squash=None, context=None):
            return self.weight * tf.reduce_sum(self.activation(z), -1)

    [gradient] = _loss_with(Constant())
    assert np.isfinite(gradient)


def test_a_context_may_be_a_list():
    c = cv.Network(hidden=(2,))
    estimate = _Q.relax_gradient(_f, c, seed=_SEED, context=[[1.0, 2.0]] * 4)
    assert estimate.gradients["logits"].shape == (4, 3)
    assert c.kernel_context.shape == (2, 2)


def test_no_units_have_one_outcome():
    q = tfrd.Bernoulli(logits=tf.zeros([3, 0]))
    f = lambda b: 2.0 + tf.reduce_sum(b, -1)
    estimate = tfr.Enumeration().estimate(f, q, seed=_SEED)
    np.testing.assert_array_equal(estimate.value, [2.0] * 3)
    assert estimate.gradients["logits"].shape == (3, 0)


def test_gradient_of_an_estimator_of_ones_own_is_a_dict():
    class Bare(tfr.Estimator):
        def gradient(self, draw, value, control_variate):
            return draw.score["logits"]

    q = tfr.distributions.Bernoulli(tf.zeros([3]))
    with pytest.raises(TypeError, match="must return a dict"):
        Bare().estimate(lambda b: tf.reduce_sum(b, -1), q, seed=(0, 0))
