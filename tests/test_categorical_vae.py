"""The VAE with one-hot latents: every estimator of them, and what is saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import test_bin

import tf_relax as tfr
from tf_relax import experiments
from tf_relax import models

_PIXELS = 16
_FITTING = models.estimator_names(3)


def _images(num=32):
    rng = np.random.default_rng(0)
    prototypes = rng.random((2, _PIXELS)) < 0.5
    flips = rng.random((num, _PIXELS)) < 0.05
    return (prototypes[rng.integers(0, 2, num)] ^ flips).astype(np.float32)


def _vae(estimator, architecture="linear1", **kwargs):
    """Three units of three classes."""
    return models.DiscreteVAE(
        architecture,
        3,
        estimator,
        mean=0.4,
        image_shape=(_PIXELS,),
        num_classes=3,
        temperature=0.3,
        **kwargs,
    )


def _compiled(vae, **kwargs):
    vae.compile(
        keras.optimizers.Adam(0.05), keras.optimizers.Adam(0.01), **kwargs
    )
    return vae


def test_categorical_is_twenty_units_of_ten_classes():
    vae = models.DiscreteVAE("categorical", mean=0.4)
    q = vae.posterior(tf.zeros([5, 784]))
    assert isinstance(q, tfr.distributions.OneHotCategorical)
    assert q.logits.shape == (5, 20, 10)
    assert vae.prior_logits.shape == (20, 10)
    for network in (*vae.encoders, *vae.decoders):
        assert [layer.units for layer in network.layers][:-1] == [200, 200]
    assert vae.generate(2).shape == vae(tf.zeros([2, 784])).shape == (2, 784)


def test_log_weight_is_the_sum_of_tfp_densities():
    vae = _vae("relax", "linear2")
    vae.prior_logits.assign(np.random.default_rng(0).normal(size=[3, 3]))
    images = tf.constant(_images(4))
    q = vae.posterior(images)
    b_1 = q.first.draw((0, 1)).sample
    above = q.conditionals[0](b_1)
    b_2 = above.draw((0, 2)).sample
    one_hot = tfr.distributions.OneHotCategorical
    below = one_hot(
        logits=tf.reshape(vae.decoders[1](tf.reshape(b_2, [4, 9])), [4, 3, 3])
    )
    pixels = tfr.distributions.Bernoulli(logits=vae.pixel_logits(b_1))
    expected = tf.reduce_sum(pixels.log_prob(images), -1) + tf.reduce_sum(
        below.log_prob(b_1)
        + one_hot(logits=vae.prior_logits).log_prob(b_2)
        - q.first.log_prob(b_1)
        - above.log_prob(b_2),
        -1,
    )
    np.testing.assert_allclose(
        vae.log_weight([b_1, b_2], images, q.first.logits), expected, rtol=1e-5
    )


@pytest.mark.parametrize("name", _FITTING)
def test_every_fitting_estimator_learns(name):
    vae, images = _vae(name), tf.constant(_images())
    before = tf.reduce_mean(vae.examples(images, (0, 0))[0])
    optimizer = keras.optimizers.Adam(0.1)
    for step in range(4):
        with tf.GradientTape() as tape:
            q = vae.posterior(images)
            loss = tf.reduce_mean(
                tfr.expectation(
                    vae.negative_elbo(q, images),
                    q,
                    estimator=list(vae.estimators),
                    seed=(1, step),
                    num_samples=vae.num_samples,
                    context=vae.context(images),
                )
            )
        variables = [v.value for v in vae.model_variables]
        optimizer.apply(tape.gradient(loss, variables), vae.model_variables)
    value, _, gradient = vae.examples(images, (0, 0))
    assert tf.reduce_mean(value) < before - 0.5
    assert gradient.shape == (32, 9) and np.isfinite(gradient).all()


@pytest.mark.parametrize("name", ["relax", "leave_one_out"])
def test_gradient_is_the_one_by_enumeration(name, vary_seed):
    vae = _vae(name)
    vae.prior_logits.assign(np.random.default_rng(1).normal(size=[3, 3]))
    image = tf.constant(_images(1))
    q = vae.posterior(image)
    exact = tfr.testing.exact_gradient(q, vae.negative_elbo(q, image))["logits"]
    images = tf.tile(image, [40_000, 1])
    _, _, draws = vae.examples(images, (vary_seed, 7))
    tfr.testing.assert_unbiased(
        draws, exact.reshape(-1), false_fail_rate=1e-6, num_tests=2
    )


def test_fit_raises_the_elbo_under_xla():
    images = _images()
    vae = _compiled(_vae("relax"))
    history = vae.fit(images, batch_size=16, epochs=12, verbose=0).history
    assert history["elbo"][-1] > history["elbo"][0] + 1.0


def test_two_layers_are_saved_and_loaded(tmp_path):
    vae = _vae("relax", "linear2")
    vae.prior_logits.assign(np.random.default_rng(1).normal(size=[3, 3]))
    vae.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = tf.constant(_images())
    found, again = (v.examples(images, (0, 0)) for v in (vae, loaded))
    assert found[-1].shape == (32, 18)
    for mine, its in zip(found, again, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_train_vae_and_eval_vae_take_the_architecture(tmp_path):
    test_bin._train(
        tmp_path,
        architecture="categorical",
        num_latents=4,
        num_classes=3,
        estimator="rebar",
        steps=40,
    )
    (row, *_) = experiments.evaluate_vae(
        experiments.EvaluateSettings(
            split="valid", num_images=200, bound_samples=2
        ),
        tmp_path / "model.keras",
    )
    # The mean image alone has -206 nats.
    assert float(row["nats"]) > -206.0


@pytest.mark.parametrize("name", ["arm", "disarm", "arms", "rodeo"])
def test_estimators_of_bits_are_refused(name):
    assert name not in _FITTING
    with pytest.raises(
        TypeError, match="needs a Bernoulli.*categorical.*RELAX"
    ):
        _vae(name)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_classes": 1}, "num_classes=1"),
        (
            {
                "num_classes": 4,
                "encoder": keras.Sequential(
                    [keras.Input((9,)), keras.layers.Dense(6)]
                ),
                "decoder": keras.Sequential(
                    [keras.Input((6,)), keras.layers.Dense(9)]
                ),
            },
            "multiple of num_classes=4.*6 logits",
        ),
    ],
    ids=["one_class", "parts"],
)
def test_units_that_cannot_be_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        models.DiscreteVAE(image_shape=(9,), **kwargs)
