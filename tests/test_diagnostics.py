"""Variance, noise, bias and time of gradients, and the callback."""

import csv
import itertools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import diagnostics
from tf_relax.diagnostics import _measure as _measurements
from tf_relax.diagnostics import _statistics
from tf_relax.diagnostics._draws import Draws

_LOGITS = np.random.default_rng(0).normal(size=[3, 4]).astype(np.float32)
_KERNEL = np.random.default_rng(1).normal(size=[4, 4]).astype(np.float32)


def _f(b):
    """Not additive over the units."""
    pairs = tf.tensordot(b, tf.constant(_KERNEL), 1)
    return tf.reduce_sum(pairs * tf.sin(2.0 * b), -1)


def _in_numpy(b):
    return tf.ensure_shape(
        tf.numpy_function(
            lambda x: np.abs((x @ _KERNEL).sum(-1)), [b], tf.float32
        ),
        b.shape[:-1],
    )


def _measure(f, named, num_samples=(), **kwargs):
    q = tfr.distributions.Bernoulli(logits=_LOGITS)
    cases = diagnostics.cases(f, q, named, num_samples)
    options = {"num_draws": 400, "rounds": 0, "jit_compile": False}
    return diagnostics.measure(cases, **options | kwargs)


def test_measurements_are_those_of_the_exact_distribution():
    reinforce, loo, exact, concrete = _measure(
        _f,
        {
            "reinforce": tfr.Reinforce(),
            "leave_one_out": tfr.LeaveOneOut(),
            "enumeration": tfr.Enumeration(),
            "concrete": tfr.Concrete(0.5),
        },
        num_draws=2000,
    )
    q = tfr.distributions.Bernoulli(logits=_LOGITS)
    bits = np.indices([2] * 4).reshape(4, -1).T.astype(np.float32)
    outcomes = tf.constant(np.repeat(bits[:, None], 3, 1))
    p = np.exp(tf.reduce_sum(q.log_prob(outcomes), -1))[..., None]
    score = (outcomes - tf.sigmoid(_LOGITS)).numpy()
    gradient = np.asarray(_f(outcomes))[..., None] * score
    mean = (p * gradient).sum(0)
    variance = (p * (gradient - mean) ** 2).sum((0, 2))
    error = reinforce.standard_error
    assert abs(reinforce.gradient_variance - variance.mean()) < 5 * error
    assert error < 0.1 * variance.mean()
    snr = np.linalg.norm(mean) / np.sqrt(variance.sum())
    np.testing.assert_allclose(reinforce.signal_to_noise, snr, rtol=0.1)
    for unbiased in (reinforce, loo, exact):
        assert abs(unbiased.bias_z) < 5.0
    assert concrete.bias_z > 6.0 and concrete.relative_bias > 0.1
    assert exact.gradient_variance < 1e-9
    evaluations = [x.f_evaluations for x in (reinforce, loo, exact, concrete)]
    assert evaluations[:3] == [1.0, 2.0, 16.0]
    needs = [x.needs_derivative for x in (reinforce, loo, exact, concrete)]
    assert needs == [False, False, False, True]


def test_bias_is_standard_normal_without_one_and_large_with_one():
    rng = np.random.default_rng(0)
    spread = np.array([0.1, 1.0, 30.0])  # Each direction its own.

    def draws(shift):
        means = shift + spread * rng.standard_normal([40, 1, 3])
        return Draws(means, np.ones([40, 1]))

    z = [_statistics.bias(draws(0.0), draws(0.0)).z for _ in range(300)]
    # The mean of 300 standard normal numbers, and their variance, at 4 sigma.
    assert abs(np.mean(z)) < 4 / np.sqrt(300)
    assert abs(np.var(z) - 1) < 4 * np.sqrt(2 / 300)
    assert _statistics.bias(draws([0.3, 0.0, 0.0]), draws(0.0)).z > 5.0


def test_a_black_box_keeps_out_what_needs_its_derivative():
    named = {
        "rebar": tfr.REBAR(),
        "relax": tfr.RELAX(tfr.control_variates.Network(hidden=(5,))),
        "reinforce": tfr.Reinforce(),
        "unordered_set": tfr.UnorderedSet(),
    }
    rebar, *others = _measure(_in_numpy, named, rounds=1)
    assert rebar.note == "needs the derivative of f"
    assert rebar.gradient_variance is rebar.f_evaluations is None
    for x in others:
        assert abs(x.bias_z) < 5.0 and not x.needs_derivative
        assert x.variance_time == x.gradient_variance * x.milliseconds > 0


def test_the_time_is_the_mean_of_steps_that_learn_and_do_not(monkeypatch):
    # Read before and after each program; REBAR has two of them.
    waits = itertools.cycle([0.0, 8.0, 0.0, 2.0, 0.0, 5.0])
    clock = itertools.accumulate(waits).__next__
    monkeypatch.setattr(
        _measurements, "time", types.SimpleNamespace(perf_counter=clock)
    )
    named = {"rebar": tfr.REBAR(), "leave_one_out": tfr.LeaveOneOut()}
    rebar, other = _measure(
        lambda b: tf.reduce_sum(b, -1),
        named,
        rounds=2,
        num_draws=8,
        reference_draws=8,
        control_variate_every=4,
    )
    np.testing.assert_allclose(rebar.milliseconds, 1e3 * (8 + 3 * 2) / 4)
    np.testing.assert_allclose(other.milliseconds, 1e3 * 5)


def test_what_does_not_fit_says_why():
    q = tfr.distributions.Bernoulli(logits=tf.zeros([2, 30]))
    f = lambda b: tf.reduce_sum(b, -1)
    cases = diagnostics.cases(f, q, {"exact": tfr.Enumeration()})
    (found,) = diagnostics.measure(cases, rounds=0, jit_compile=False)
    assert "65536 joint outcomes" in found.note
    assert found.gradient_variance is None


def test_numbers_of_samples_that_an_estimator_cannot_use_are_left_out():
    named = {"arm": tfr.ARM(), "reinforce": tfr.Reinforce()}
    q = tfr.distributions.Bernoulli(logits=_LOGITS)
    found = diagnostics.cases(_f, q, named, [1, 2, 3, 4])
    assert [(x.name, x.num_samples) for x in found] == [
        ("arm", 2),
        ("arm", 4),
        *(("reinforce", k) for k in (1, 2, 3, 4)),
    ]


def test_measuring_changes_nothing_that_was_learned():
    estimator = tfr.Reinforce(tfr.estimators.MovingAverage())
    q = tfr.distributions.Bernoulli(logits=_LOGITS)
    (case,) = diagnostics.cases(_f, q, {"reinforce": estimator})
    diagnostics.fit_control_variates(case, 20, jit_compile=False)
    (layer,) = estimator.layers
    learned = [v.numpy() for v in layer.weights]
    assert all(learned)
    diagnostics.measure([case], num_draws=8, rounds=2, jit_compile=False)
    assert [v.numpy() for v in layer.weights] == learned


def test_fit_control_variates_lowers_the_variance():
    def relax(steps):
        c = tfr.control_variates.Network(hidden=(20,))
        q = tfr.distributions.Bernoulli(logits=_LOGITS)
        cases = diagnostics.cases(_in_numpy, q, {"relax": tfr.RELAX(c)})
        diagnostics.fit_control_variates(
            cases[0], steps, learning_rate=0.02, jit_compile=False
        )
        (found,) = diagnostics.measure(cases, rounds=0, jit_compile=False)
        return found.gradient_variance

    assert relax(150) < 0.5 * relax(0)


_IMAGES = (np.arange(64 * 16) % 7 == 0).reshape(64, 16).astype(np.float32)


def _fit(callbacks, estimator="relax", epochs=3):
    vae = tfr.models.DiscreteVAE("linear1", 3, estimator, image_shape=(16,))
    # Eagerly: bitwise repeatable, which graph mode is not.
    vae.compile("adam", run_eagerly=True)
    fitted = vae.fit(
        _IMAGES,
        batch_size=16,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )
    return vae, fitted.history


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_callback_logs_and_disturbs_nothing(tmp_path):
    pytest.importorskip("matplotlib")
    watch = diagnostics.GradientDiagnostics(
        _IMAGES[:8],
        ["relax", "rebar"],
        every=2,
        path=tmp_path / "d.csv",
        train_images=_IMAGES,
        batch_size=16,
    )
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    watched, history = _fit([watch, log])
    alone, _ = _fit([])
    for mine, its in zip(watched.weights, alone.weights, strict=True):
        np.testing.assert_array_equal(mine, its)
    for name in ("optimizer", "control_variate_optimizer"):
        pairs = zip(
            getattr(watched, name).variables,
            getattr(alone, name).variables,
            strict=True,
        )
        for mine, its in pairs:
            np.testing.assert_array_equal(mine, its)
    rows = _rows(tmp_path / "d.csv")
    at = [(row["epoch"], row["step"], row["estimator"]) for row in rows]
    assert at == [
        (epoch, step, name)
        for epoch, step in (("1", "4"), ("3", "12"))
        for name in ("relax", "rebar")
    ]
    logged = history["gradient_variance/rebar"]
    np.testing.assert_allclose(
        logged, [float(row["gradient_variance"]) for row in rows[1::2]], 1e-4
    )
    assert all(0 < share < 1 for share in history["diagnostics_share"])
    assert all(cost > 0 for cost in history["diagnostics_ms"])
    (first, second, third) = _rows(tmp_path / "log.csv")
    assert float(first["bias_z/relax"]) and second["bias_z/relax"] == "NA"
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")


def test_callback_measures_by_steps_with_fresh_draws():
    watch = diagnostics.GradientDiagnostics(_IMAGES[:8], every=3, per="step")
    _, history = _fit([watch], "leave_one_out", epochs=2)
    assert [row["step"] for row in watch.rows] == [3, 6]
    assert len(history["signal_to_noise/leave_one_out"]) == 2
    assert len({row["gradient_variance"] for row in watch.rows}) == 2


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [({"every": 0}, "every=0"), ({"per": "epochs"}, "Did you mean 'epoch'")],
)
def test_wrong_arguments_of_the_callback_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        diagnostics.GradientDiagnostics(_IMAGES, **kwargs)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (_IMAGES[:0], "one image at least"),
        (_IMAGES[:4] * 255, "Divide grey levels by 255"),
        (_IMAGES[0], r"one alone is image\[None\]"),
    ],
    ids=["none", "grey levels", "one alone"],
)
def test_wrong_images_are_named_when_training_begins(images, message):
    with pytest.raises(ValueError, match=message):
        _fit([diagnostics.GradientDiagnostics(images)], "leave_one_out")
