"""The discrete VAE under plain Keras: fit, evaluate, predict, save, resume."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import models
from tf_relax.models import DiscreteVAE
from tf_relax.models import estimator_names

_PIXELS = 36


def _images(num=64, seed=0):
    """Two prototypes under noise: something that a small VAE can learn."""
    rng = np.random.default_rng(seed)
    prototypes = rng.random((2, _PIXELS)) < 0.5
    flips = rng.random((num, _PIXELS)) < 0.05
    return (prototypes[rng.integers(0, 2, num)] ^ flips).astype(np.uint8)


def _vae(
    estimator="relax",
    *,
    compiled=True,
    steps_per_call=1,
    control_variate_every=1,
    run_eagerly=False,
    **kwargs,
):
    kwargs = {
        "num_latents": 5,
        "mean": 0.4,
        "image_shape": (_PIXELS,),
    } | kwargs
    vae = DiscreteVAE(
        kwargs.pop("architecture", "linear1"),
        estimator=estimator,
        **kwargs,
    )
    if compiled:
        vae.compile(
            keras.optimizers.Adam(0.02),
            keras.optimizers.Adam(0.005),
            steps_per_call=steps_per_call,
            control_variate_every=control_variate_every,
            run_eagerly=run_eagerly,
            jit_compile=False,
        )
    return vae


def _fit(vae, images, epochs=1, batch_size=16, **kwargs):
    return vae.fit(
        images,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        **kwargs,
    )


def _saved(vae, path):
    vae.save(path)
    return path


def _assert_same_weights(first, second):
    assert len(first.weights) == len(second.weights)
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("optimizer", "control_variate_optimizer"):
        mine, theirs = getattr(first, name), getattr(second, name)
        for a, b in zip(mine.variables, theirs.variables, strict=True):
            np.testing.assert_array_equal(a, b)


# One of each kind: what learns, what relaxes f, what draws by itself.
_OF_TWO_LAYERS = (
    "arms",
    "concrete",
    "disarm",
    "double_cv",
    "muprop",
    "nvil",
    "rebar",
    "relax",
    "relax_independent",
    "straight_through",
)


def _one_for_each_layer(name):
    """Above the first layer, samples are not coupled."""
    couples = models.named_estimator(name).couples
    return [name, "leave_one_out"] if couples else name


@pytest.mark.parametrize(
    ("architecture", "estimator"),
    [
        *(
            ("linear1", name)
            for name in estimator_names(0)
            if name not in _OF_TWO_LAYERS
        ),
        *(("linear2", _one_for_each_layer(n)) for n in _OF_TWO_LAYERS),
    ],
    ids=str,
)
def test_fit_raises_the_elbo(architecture, estimator):
    images = _images()
    vae = _vae(estimator, architecture=architecture, steps_per_call=20)
    validation = {}
    if architecture == "linear2":  # One of each kind.
        validation = dict(validation_data=(images,), validation_freq=[1, 5])
    history = _fit(
        vae, np.tile(images, (5, 1)), epochs=5, batch_size=320, **validation
    ).history
    assert history["elbo"][-1] > history["elbo"][0] + 2.0
    if validation:
        assert history["val_elbo"][-1] > history["val_elbo"][0] + 2.0
        assert np.isfinite(history["val_gradient_variance"]).all()


@pytest.mark.parametrize("name", ["arm", "disarm", "arms", "enumeration"])
def test_samples_are_coupled_in_the_first_layer_alone(name):
    with pytest.raises(TypeError, match=r"of its own.*\(\), LeaveOneOut\(\)\]"):
        _vae(name, architecture="linear2")


@pytest.mark.parametrize("architecture", ["linear1", "nonlinear"])
def test_model_is_the_papers(architecture):
    mean = np.linspace(0.0, 1.0, _PIXELS).astype("float32")
    vae = _vae(architecture=architecture, mean=mean)
    hidden = {"linear1": [], "nonlinear": [200, 200]}[architecture]
    for part, out in ((vae.encoders[0], 5), (vae.decoders[0], _PIXELS)):
        assert [x.units for x in part.layers] == [*hidden, out]
        assert {x.activation.__name__ for x in part.layers[:-1]} <= {"tanh"}
        assert part.layers[-1].activation is keras.activations.linear
    images = tf.constant(_images(3), tf.float32)
    np.testing.assert_allclose(
        vae.posterior(images).logits, vae.encoders[0](images - mean), rtol=1e-6
    )
    clipped = np.clip(mean, 0.001, 0.999)
    b = tf.constant([[0.0, 1.0, 1.0, 0.0, 1.0]])
    np.testing.assert_allclose(
        vae.pixel_logits(b),
        vae.decoders[0](2 * b - 1) + np.log(clipped / (1 - clipped)),
        rtol=1e-5,
        atol=1e-5,
    )
    np.testing.assert_array_equal(vae.prior_logits, np.zeros(5))
    assert any(v is vae.prior_logits for v in vae.trainable_variables)


def test_log_weight_is_the_sum_of_tfp_densities():
    vae = _vae()
    vae.prior_logits.assign([0.3, -0.2, 1.0, 0.0, -1.5])
    images = tf.constant(_images(4), tf.float32)
    q = vae.posterior(images)
    b = q.draw((0, 1)).sample
    prior = tfr.distributions.Bernoulli(logits=vae.prior_logits)
    pixels = tfr.distributions.Bernoulli(logits=vae.pixel_logits(b))
    expected = (
        tf.reduce_sum(pixels.log_prob(images), -1)
        + tf.reduce_sum(prior.log_prob(b), -1)
        - tf.reduce_sum(q.log_prob(b), -1)
    )
    np.testing.assert_allclose(
        vae.log_weight(b, images, q.logits), expected, rtol=1e-5
    )


@pytest.mark.parametrize("num_samples", [0, -1, 2.5])
def test_a_bound_has_a_sample_at_least(num_samples):
    with pytest.raises(ValueError, match="`num_samples` must be a whole"):
        _vae().bound(_images(2), num_samples, (0, 0))


def test_a_bound_is_of_images():
    for images in (255.0 * _images(2), tf.constant(255.0 * _images(2))):
        with pytest.raises(ValueError, match="Divide grey levels by 255"):
            _vae().bound(images, 2, (0, 0))


def test_bound_lies_between_the_elbo_and_the_exact_log_likelihood():
    vae = _vae(num_latents=5)
    images = _images(8)
    _fit(vae, _images(), epochs=3)
    bits = np.array(np.meshgrid(*[[0.0, 1.0]] * 5)).reshape(5, -1).T
    b = tf.constant(np.repeat(bits[:, None], 8, 1), tf.float32)
    q = vae.posterior(tf.constant(images))
    joint = vae.log_weight(b, images, q.logits) + tf.reduce_sum(
        q.log_prob(b), -1
    )
    exact = np.asarray(tf.reduce_logsumexp(joint, 0))
    weights = vae.log_weight(b, images, q.logits)
    probs = tf.exp(tf.reduce_sum(q.log_prob(b), -1))
    elbo = np.asarray(tf.reduce_sum(probs * weights, 0))
    # With 4,000 samples of a handful of units the bound is all but tight;
    # its error is the Monte Carlo one, measured by five repetitions.
    bound = tf.function(vae.bound, autograph=False)
    bounds = np.stack([bound(images, 4000, (i, 0)) for i in range(5)])
    spread = bounds.std(0, ddof=1).max() + 1e-4
    np.testing.assert_allclose(bounds.mean(0), exact, atol=8 * spread)
    assert (bounds.mean(0) >= elbo - 8 * spread).all()
    assert (exact > elbo).all()


def test_steps_per_call_changes_nothing_but_the_rhythm():
    images = _images(32)
    one, four = (
        _vae(steps_per_call=steps, run_eagerly=True) for steps in (1, 4)
    )
    _fit(one, images, epochs=2, batch_size=4)
    _fit(four, images, epochs=2, batch_size=16)
    assert int(one.optimizer.iterations) == int(four.optimizer.iterations) == 16
    _assert_same_weights(one, four)


@pytest.mark.parametrize("estimator", ["relax", "nvil"])
def test_the_control_variate_learns_in_the_first_of_every_few_steps(estimator):
    images = _images(32)
    rare = _vae(
        estimator, steps_per_call=4, control_variate_every=2, run_eagerly=True
    )
    _fit(rare, images, batch_size=32)
    often = _vae(estimator, run_eagerly=True)
    own = often.control_variate_optimizer
    state = [*often.estimator_variables, *own.variables]
    for step in range(4):
        before = [v.numpy() for v in state]
        _fit(often, images[8 * step : 8 * step + 8], batch_size=8)
        if step % 2:  # As if it had not learned; the model has used it.
            for variable, value in zip(state, before, strict=True):
                variable.assign(value)
    assert int(own.iterations) == 2
    _assert_same_weights(rare, often)


def test_xla_runs_the_steps_and_learns():
    images = _images(64)
    vae = _vae(compiled=False)
    vae.compile(
        keras.optimizers.Adam(0.02),
        keras.optimizers.Adam(0.005),
        steps_per_call=4,
    )
    options = dict(batch_size=32, validation_data=(images,))
    history = _fit(vae, images, epochs=25, **options).history
    assert history["elbo"][-1] > history["elbo"][0] + 2.0
    # The same draws as in a graph; what is rounded otherwise grows.
    other = _vae(steps_per_call=4)
    for name, found in _fit(other, images, **options).history.items():
        np.testing.assert_allclose(found, history[name][:1], rtol=1e-3)


@pytest.mark.parametrize(
    ("every", "steps"),
    [(1, 4 + 3), (2, 4 + 2), (4, 4 + 4)],  # 32 = 4 x 8, then 3 x 1.
)
def test_a_last_batch_that_is_too_small_is_cut_anew(every, steps):
    vae = _vae(steps_per_call=4, control_variate_every=every)
    _fit(vae, _images(35), batch_size=32)
    assert int(vae.optimizer.iterations) == steps
    assert int(vae.control_variate_optimizer.iterations) == steps // every
    assert all(np.isfinite(v.numpy()).all() for v in vae.weights)


# The bitwise tests are eager or by XLA: TensorFlow's graph mode may add three
# terms in an order that depends on timing.


@pytest.mark.parametrize("mode", ["eager", "xla"])
def test_same_seed_is_bitwise_the_same_run(mode):
    images = _images()
    first, second, other = (
        _vae(seed=seed, run_eagerly=True) for seed in (3, 3, 4)
    )
    for vae in (first, second):
        if mode == "xla":
            vae.compile(keras.optimizers.Adam(0.02), steps_per_call=2)
        _fit(vae, images, epochs=1, batch_size=32)
    _fit(other, images, epochs=1, batch_size=32)
    _assert_same_weights(first, second)
    assert not np.array_equal(
        first.encoders[0].weights[0], other.encoders[0].weights[0]
    )


# What learns or remembers is a layer of its estimator. Where there is none, all
# is saved that is saved of leave-one-out.
@pytest.mark.parametrize(
    "estimator",
    [
        name
        for name in estimator_names(0)
        if models.named_estimator(name).layers or name == "leave_one_out"
    ],
)
def test_saved_loaded_and_continued_is_never_having_saved(estimator, tmp_path):
    images = _images(32)
    straight = _vae(estimator, run_eagerly=True)
    _fit(straight, images)
    straight.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    _assert_same_weights(straight, loaded)
    _fit(straight, images)
    _fit(loaded, images)
    _assert_same_weights(straight, loaded)


@pytest.mark.parametrize(
    "ignored",
    [{"temperature": 0.1}, {"estimator_options": {"hidden": (7,)}}],
    ids=lambda ignored: next(iter(ignored)),
)
def test_what_a_name_takes_is_refused_beside_an_object(ignored):
    (name,) = ignored
    with pytest.raises(ValueError, match=r"(temperature|hidden)=.* REBAR\(\)"):
        _vae(tfr.REBAR(), **ignored)
    both = [tfr.REBAR(), "relax"]  # One of them takes it.
    assert getattr(_vae(both, architecture="linear2", **ignored), name)


def test_a_model_without_optimizers_can_be_saved(tmp_path):
    vae = _vae(compiled=False)
    loaded = keras.models.load_model(_saved(vae, tmp_path / "vae.keras"))
    assert not loaded.compiled
    for a, b in zip(vae.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_loaded_model_has_the_settings(tmp_path):
    c = tfr.control_variates
    estimator = tfr.RELAX(
        c.Scaled(c.RelaxedFunction(0.2) + c.Network((7,), "tanh"), 0.5),
        coupled=False,
    )
    vae = _vae(
        estimator,
        num_samples=3,
        steps_per_call=2,
        control_variate_every=2,
        seed=5,
    )
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    again = keras.models.load_model(_saved(loaded, tmp_path / "again.keras"))
    assert again.get_config() == loaded.get_config()
    assert loaded.get_compile_config() == vae.get_compile_config()
    assert isinstance(loaded.estimators[0], tfr.RELAX)
    assert not loaded.estimators[0].coupled
    assert (loaded.num_samples, loaded.steps_per_call) == (3, 2)
    assert loaded.control_variate_every == 2
    # The learning rate of the one optimizer is not that of the other.
    assert float(loaded.control_variate_optimizer.learning_rate) == (
        pytest.approx(0.005)
    )


def test_own_encoder_and_decoder(tmp_path):
    encoder = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(36),
            keras.layers.Reshape((6, 6, 1)),
        ]
    )
    vae = DiscreteVAE(
        encoder=encoder,
        decoder=decoder,
        image_shape=(6, 6, 1),
        estimator="relax",
        num_samples=2,
    )
    vae.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    images = _images().reshape(-1, 6, 6, 1)
    history = _fit(vae, images, epochs=20).history
    assert history["elbo"][-1] > history["elbo"][0] + 2.0
    assert vae.predict(images, verbose=0).shape == images.shape
    vae.save(tmp_path / "own.keras")
    loaded = keras.models.load_model(tmp_path / "own.keras")
    _assert_same_weights(vae, loaded)


def test_predict_generate_reconstruct_are_probabilities():
    vae = _vae()
    images = _images(10)
    for pixels in (
        vae.predict(images, verbose=0),
        vae.reconstruct(images),
        vae.generate(10, seed=(1, 2)),
    ):
        assert pixels.shape == (10, _PIXELS)
        assert ((np.asarray(pixels) >= 0) & (np.asarray(pixels) <= 1)).all()
    np.testing.assert_array_equal(
        vae.generate(4, seed=(1, 2)), vae.generate(4, seed=(1, 2))
    )


@pytest.mark.parametrize("num", [-1, 2.0, "3"])
def test_a_number_of_images_is_a_whole_one(num):
    with pytest.raises(ValueError, match="`num` must be a whole number"):
        _vae().generate(num)


def test_evaluation_is_repeatable_and_changes_nothing():
    vae = _vae("reinforce")
    images = _images()
    _fit(vae, images)
    before = [np.array(w) for w in vae.weights]
    vae.compile(keras.optimizers.Adam(0.02), bound_samples=5, jit_compile=False)
    first = vae.evaluate(images, batch_size=16, verbose=0, return_dict=True)
    again = vae.evaluate(images, batch_size=16, verbose=0, return_dict=True)
    assert first == again
    assert set(first) == {"loss", "elbo", "gradient_variance", "bound"}
    assert first["bound"] > first["elbo"]
    for a, b in zip(before, vae.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradient_variance_is_that_of_the_estimator():
    vae = _vae("leave_one_out")
    image = _images(1)
    draws = tf.constant(np.repeat(image, 20_000, 0), tf.float32)
    reported = vae.evaluate(
        draws, batch_size=20_000, verbose=0, return_dict=True
    )["gradient_variance"]
    q = vae.posterior(draws)
    gradient = (
        vae.estimators[0]
        .estimate(vae.negative_elbo(q, draws), q, seed=(9, 9))
        .gradients["logits"]
    )
    per_image = tf.reduce_sum(
        tf.square(gradient - tf.reduce_mean(gradient, 0)), -1
    )
    # Both are means of 20,000 terms: within 6 standard errors (2e-9).
    error = np.std(per_image) / np.sqrt(20_000)
    assert abs(reported - np.mean(per_image)) < 6 * np.sqrt(2.5) * error


def test_mixed_precision_trains_in_float32_where_it_matters():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        images = _images()
        vae = _vae()
        history = _fit(vae, images, epochs=20).history
        assert {w.dtype for w in vae.weights} <= {"float32", "uint32"}
        assert vae.posterior(images).logits.dtype == tf.float32
    finally:
        keras.config.set_dtype_policy(policy)
    assert history["elbo"][-1] > history["elbo"][0] + 2.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"architecture": "linear_1"}, "'linear_1'.*Did you mean 'linear1'"),
        ({"estimator": "relex"}, "'relex'.*Did you mean 'relax'"),
        (
            {
                "encoder": keras.Sequential(
                    [keras.Input((9,)), keras.layers.Dense(5)]
                )
            },
            "go together",
        ),
        ({"encoder": keras.Sequential()}, "must be built Keras models"),
        ({"image_shape": 36}, r"such as \(784,\). Received: image_shape=36"),
    ],
    ids=["architecture", "estimator", "encoder", "unbuilt", "image_shape"],
)
def test_wrong_arguments_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        _vae(**kwargs)


@pytest.mark.parametrize(
    ("steps", "every", "message"),
    [
        (0, 1, "steps_per_call=0"),
        (4, 0, "control_variate_every=0"),
        (4, 2.0, "whole number of at least 1.*control_variate_every=2.0"),
        (4, "2", "whole number of at least 1.*control_variate_every='2'"),
        (6, 4, "must divide .* steps_per_call=8, or .*every=1 or 2 or 3 or 6"),
    ],
)
def test_wrong_rhythms_are_named(steps, every, message):
    rhythm = dict(steps_per_call=steps, control_variate_every=every)
    with pytest.raises(ValueError, match=message):
        _vae(**rhythm)
    with pytest.raises(ValueError, match=message):
        models.Replicas([_vae()], [keras.optimizers.Adam(0.01)], **rhythm)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda vae: vae.fit(255 * _images(), verbose=0), "Divide grey levels"),
        (lambda vae: vae.evaluate(-1.0 * _images(), verbose=0), r"\[0, 1\]"),
        (
            lambda vae: vae.fit(
                _images(), sample_weight=np.ones(64), verbose=0
            ),
            "sample_weight",
        ),
        (lambda vae: vae.compile(loss="mse"), "`loss` has no place"),
        (lambda vae: vae.compile(metrics=["mse"]), "`metrics` has no place"),
        (
            lambda vae: vae.compile(vae.optimizer, vae.optimizer),
            "must be another object",
        ),
        (lambda vae: _vae(mean=33.0), r"`mean` must be in \[0, 1\]"),
        (lambda vae: _vae("leave_one_out", num_samples=1), "num_samples >= 2"),
    ],
    ids=[
        "grey",
        "negative",
        "weights",
        "loss",
        "metrics",
        "optimizers",
        "mean",
        "samples",
    ],
)
def test_what_would_train_in_silence_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(_vae())


def test_images_may_be_flat_or_not():
    flat = _images(8)
    square = flat.reshape(8, 6, 6)
    for vae, images in (
        (_vae(), square),
        (
            DiscreteVAE("linear1", 5, mean=flat.mean(0), image_shape=(6, 6)),
            flat,
        ),
    ):
        np.testing.assert_array_equal(
            vae.posterior(tf.constant(flat)).logits,
            vae.posterior(tf.constant(square)).logits,
        )
        assert vae.predict(images, verbose=0).shape[0] == 8
