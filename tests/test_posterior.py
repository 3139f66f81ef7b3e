"""What the posterior does: KL, entropy and active units, and the callback."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_relax import diagnostics
from tf_relax import models

_IMAGES = (np.random.default_rng(0).random((60, 9)) < 0.4).astype(np.float32)


def _vae(architecture, **kwargs):
    vae = models.DiscreteVAE(
        architecture, 6, "leave_one_out", image_shape=(9,), **kwargs
    )
    rng = np.random.default_rng(1)
    for weight in vae.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return vae


@pytest.mark.parametrize(
    "architecture", ["linear1", "linear2", "nonlinear", "categorical"]
)
def test_terms_of_the_units_sum_to_the_kl_term_of_the_elbo(architecture):
    classes = {"num_classes": 3} if architecture == "categorical" else {}
    vae = _vae(architecture, **classes)
    images, seed = tf.constant(_IMAGES), (3, 4)
    samples, (first, *_) = vae._draw(images, seed)
    with_kl, without = (
        vae.log_weight(samples, images, first.logits, kl_weight=weight)
        for weight in (1.0, 0.0)
    )
    terms = vae.layer_terms(images, seed)
    total = sum(tf.reduce_sum(x.log_ratio, -1) for x in terms)
    np.testing.assert_allclose(total, without - with_kl, rtol=1e-4, atol=1e-4)
    found = diagnostics.posterior_of_layers(vae, _IMAGES, seed=(0, 0))
    assert [x.kl.shape for x in found] == [(6,)] * len(vae.layer_sizes)


def test_statistics_are_those_of_the_exact_posterior():
    vae = _vae("linear1")
    many = np.repeat(_IMAGES, 200, 0)
    (layer,) = diagnostics.posterior_of_layers(vae, many, batch_size=7000)
    q = vae.posterior(tf.constant(_IMAGES))
    theta = q.probs_parameter().numpy().astype(np.float64)
    prior = tf.sigmoid(vae.prior_logits).numpy().astype(np.float64)
    entropy = -theta * np.log(theta) - (1 - theta) * np.log1p(-theta)
    np.testing.assert_allclose(layer.entropy, entropy.mean(0), 1e-4)
    np.testing.assert_allclose(layer.spread, theta.var(0), 1e-3)
    cross = -theta * np.log(prior) - (1 - theta) * np.log1p(-prior)
    exact = (cross - entropy).mean(0)
    # Of 12,000 draws; beyond 6 standard errors once in 1e8 seeds.
    ratio = np.log(theta / prior) - np.log((1 - theta) / (1 - prior))
    error = np.sqrt((theta * (1 - theta) * ratio**2).mean(0) / len(many))
    assert (abs(layer.kl - exact) < 6 * error).all()
    assert layer.active.tolist() == (theta.var(0) > 0.01).tolist()


def test_a_unit_that_does_not_see_the_image_is_not_active():
    vae = _vae("categorical", num_classes=3)
    kernel = np.array(vae.encoders[0].layers[-1].kernel)
    kernel[:, :6] = 0.0  # Of two units of three classes.
    vae.encoders[0].layers[-1].kernel.assign(kernel)
    (layer,) = diagnostics.posterior_of_layers(vae, _IMAGES)
    assert layer.active.tolist() == [False, False, True, True, True, True]
    assert layer.row()["active_units"] == 4


def _fit(callbacks, epochs=2, begin=0, vae=None):
    if vae is None:
        vae = models.DiscreteVAE("linear2", 3, image_shape=(9,))
        # Graph mode may add in another order each time.
        vae.compile("adam", jit_compile=False, run_eagerly=True)
    fitted = vae.fit(
        _IMAGES,
        batch_size=20,
        initial_epoch=begin,
        epochs=epochs,
        verbose=0,
        shuffle=False,
        callbacks=callbacks,
    )
    return vae, fitted.history


def test_callback_logs_writes_and_disturbs_nothing(tmp_path):
    path = tmp_path / "posterior.csv"
    watch = diagnostics.PosteriorDiagnostics(_IMAGES, path=path)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    watched, history = _fit([watch, log])
    alone, _ = _fit([])
    for mine, its in zip(watched.weights, alone.weights, strict=True):
        np.testing.assert_array_equal(mine, its)
    rows = _rows(path)
    at = [(row["step"], row["epoch"], row["layer"]) for row in rows]
    assert at == [("3", "1", "1"), ("3", "1", "2")] + [
        ("6", "2", "1"),
        ("6", "2", "2"),
    ]
    for name in ("kl", "posterior_entropy", "active_units"):
        sums = [sum(float(r[name]) for r in rows[i : i + 2]) for i in (0, 2)]
        np.testing.assert_allclose(history[name], sums, rtol=1e-4)
    (first, _) = _rows(tmp_path / "log.csv")
    assert float(first["kl"]) == pytest.approx(history["kl"][0])
    # Resumed after the first epoch, it drops the row of the second.
    again = diagnostics.PosteriorDiagnostics(_IMAGES, every=2, path=path)
    _fit([again], epochs=2, begin=1, vae=watched)
    assert [row["step"] for row in _rows(path)] == ["3", "3", "9", "9"]


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"at least 1. Received: every=0"):
        diagnostics.PosteriorDiagnostics(_IMAGES, every=0)
    vae = _vae("linear1")
    for images, message in [
        (_IMAGES[:0], "one image at least"),
        (255.0 * _IMAGES, "Divide grey levels by 255"),
        (_IMAGES[:, :4], r"Received: .*\(60, 4\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            diagnostics.posterior_of_layers(vae, images)
    with pytest.raises(TypeError, match=r"Received: .*Sequential\."):
        diagnostics.posterior_of_layers(keras.Sequential(), _IMAGES)
