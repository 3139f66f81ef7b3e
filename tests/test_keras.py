"""What Keras offers acts on these models as it does on others."""

import csv
import glob

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_relax import diagnostics
from tf_relax import models
from tf_relax.models import _objective

_PIXELS = 16
_BATCH = 8


def _images(num=2 * _BATCH):
    rng = np.random.default_rng(0)
    return (rng.random((num, _PIXELS)) < 0.3).astype(np.float32)


def _vae(estimator="leave_one_out", optimizer=None, other=None, **compile):
    vae = models.DiscreteVAE("linear1", 3, estimator, image_shape=(_PIXELS,))
    vae.compile(
        optimizer or keras.optimizers.SGD(0.01),
        other,
        **{"run_eagerly": True} | compile,
    )
    return vae


def _fit(vae, epochs=1, callbacks=(), num=2 * _BATCH, validate=False):
    return vae.fit(
        _images(num),
        batch_size=_BATCH * vae.steps_per_call,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        validation_data=(_images(_BATCH),) if validate else None,
        callbacks=list(callbacks),
    ).history


def _values(variables):
    return [np.array(v) for v in variables]


def _weights(vae):
    return _values(vae.model_variables)


def _assert_same(first, second, **tolerance):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 0, "atol": 0} | tolerance)


class _After(keras.callbacks.Callback):
    """Keeps the model's weights after each epoch."""

    def on_train_begin(self, logs=None):
        self.weights = [_weights(self.model)]

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(_weights(self.model))


# --- Callbacks -------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled():
    """A model in one program of XLA, two steps a call."""
    return _vae(run_eagerly=False, jit_compile=True, steps_per_call=2)


def test_learning_rate_scheduler_acts_under_xla(compiled):
    after = _After()
    rates = [0.01, 0.0, 0.02]
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    history = _fit(compiled, 3, [schedule, after])
    np.testing.assert_allclose(history["learning_rate"], rates)
    moved = [
        any((a != b).any() for a, b in zip(*pair, strict=True))
        for pair in zip(after.weights[:-1], after.weights[1:], strict=True)
    ]
    assert moved == [True, False, True]


def test_reduce_on_plateau_acts_under_xla(compiled):
    after = _After()
    compiled.optimizer.learning_rate = 0.01
    # Nothing is ever good enough: to 0 after the second epoch.
    plateau = keras.callbacks.ReduceLROnPlateau(
        "loss", factor=0.0, patience=1, min_delta=1e9
    )
    history = _fit(compiled, 4, [plateau, after])
    np.testing.assert_allclose(history["learning_rate"], [0.01, 0.01, 0, 0])
    _assert_same(after.weights[2], after.weights[4])
    assert any((a != b).any() for a, b in zip(*after.weights[1:3], strict=True))


def _ruin():
    """Makes the second of three epochs the best one."""
    rates = [0.2, 0.2, -10.0]
    return keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])


@pytest.mark.parametrize("monitor", ["val_elbo", "val_loss"])
def test_early_stopping_restores_the_best(monitor):
    after = _After()
    stop = keras.callbacks.EarlyStopping(
        monitor,
        mode="max" if monitor == "val_elbo" else "auto",
        patience=1,
        restore_best_weights=True,
    )
    vae = _vae()
    history = _fit(vae, 10, [_ruin(), after, stop], validate=True)
    assert len(history["elbo"]) == 3
    assert np.argmax(history["val_elbo"]) == 1
    _assert_same(_weights(vae), after.weights[2])


def test_loss_is_the_negative_elbo():
    history = _fit(_vae("relax"), 2, validate=True)
    for name in ("", "val_"):
        np.testing.assert_array_equal(
            history[f"{name}loss"], -np.array(history[f"{name}elbo"])
        )


def test_terminate_on_nan_stops_at_the_batch():
    images = _images(4 * _BATCH)
    images[_BATCH + 3, 5] = np.nan

    class Count(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1

    count = Count()
    data = tf.data.Dataset.from_tensor_slices((images,)).batch(_BATCH)
    vae = _vae()
    vae.fit(
        data,
        epochs=3,
        verbose=0,
        callbacks=[keras.callbacks.TerminateOnNaN(), count],
    )
    assert count.batches == 2


@pytest.mark.parametrize("weights_only", [False, True], ids=["all", "weights"])
def test_model_checkpoint_keeps_the_best(weights_only, tmp_path):
    path = tmp_path / ("best.weights.h5" if weights_only else "best.keras")
    keep = keras.callbacks.ModelCheckpoint(
        path,
        monitor="val_elbo",
        mode="max",
        save_best_only=True,
        save_weights_only=weights_only,
    )
    after = _After()
    vae = _vae("relax", keras.optimizers.Adam(0.01))
    elbos = _fit(vae, 3, [_ruin(), after, keep], num=_BATCH, validate=True)
    best = int(np.argmax(elbos["val_elbo"])) + 1
    assert best < 3
    if weights_only:
        found = _vae("relax", keras.optimizers.Adam(0.01))
        found.load_weights(path)
    else:
        found = keras.models.load_model(path)
    _assert_same(_weights(found), after.weights[best])
    assert found.step == best
    assert int(found.control_variate_optimizer.iterations) == best


def test_backup_and_restore_goes_on_as_if_never_stopped(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def vae():
        return _vae("relax", keras.optimizers.Adam(0.01))

    straight, stopped, resumed = vae(), vae(), vae()
    _fit(straight, 3, num=_BATCH)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        _fit(stopped, 3, [backup, Interrupt()], num=_BATCH)
    again = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    history = _fit(resumed, 3, [again], num=_BATCH)
    assert len(history["elbo"]) == 1
    _assert_same(_values(straight.weights), _values(resumed.weights))
    for name in ("optimizer", "control_variate_optimizer"):
        pair = [
            _values(getattr(x, name).variables) for x in (straight, resumed)
        ]
        _assert_same(*pair)


def test_csv_logger_and_tensorboard_write_what_history_has(tmp_path):
    pytest.importorskip("tensorboard")
    measured = "gradient_variance/leave_one_out"
    callbacks = [
        diagnostics.GradientDiagnostics(_images(2), draws=8),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TensorBoard(tmp_path / "events", histogram_freq=1),
    ]
    history = _fit(_vae(), 2, callbacks, num=_BATCH, validate=True)
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"elbo", "val_elbo", "val_gradient_variance"} <= set(rows[0])
    logged = [float(row["val_elbo"]) for row in rows]
    np.testing.assert_allclose(logged, history["val_elbo"], rtol=1e-6)
    written = {}
    for path in glob.glob(str(tmp_path / "events" / "*" / "events*")):
        for record in tf.data.TFRecordDataset(path):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                key = "val_" * ("validation" in path) + value.tag
                written.setdefault(key, []).append(
                    tf.make_ndarray(value.tensor)
                )
    for tag, name in (
        ("val_epoch_elbo", "val_elbo"),
        (f"epoch_{measured}", measured),
    ):
        np.testing.assert_allclose(written[tag], history[name], rtol=1e-6)
    assert any("kernel" in tag for tag in written)


# --- Optimizers ------------------------------------------------------------


def _gradients(vae):
    """Returns what the next step's optimizers are given, and the variables."""
    of_model = vae.model_variables
    of_estimators = vae.estimator_variables
    found = _objective.loss_gradients(
        vae,
        tf.constant(_images(_BATCH)),
        [*of_model, *of_estimators],
        seed=_objective.training_seed(vae.seed, vae.step),
    ).gradients
    return _values(found[: len(of_model)]), _values(found[len(of_model) :])


def _norm(arrays):
    return np.sqrt(sum(np.sum(np.square(x, dtype=np.float64)) for x in arrays))


def _by_norm(gradients, weights):
    return [g * 0.1 / max(0.1, _norm([g])) for g in gradients]


def _by_value(gradients, weights):
    return [np.clip(g, -0.1, 0.1) for g in gradients]


def _by_global_norm(gradients, weights):
    return [g * 0.1 / max(0.1, _norm(gradients)) for g in gradients]


def _with_decay(gradients, weights):
    return [g + 0.1 * w for g, w in zip(gradients, weights, strict=True)]


_OPTIONS = {
    "clipnorm": _by_norm,
    "clipvalue": _by_value,
    "global_clipnorm": _by_global_norm,
    "weight_decay": _with_decay,
}


@pytest.mark.parametrize("option", _OPTIONS)
def test_options_of_optimizers_act_on_their_own_variables(option):
    rate = 0.5
    first, second = (
        keras.optimizers.SGD(rate, **{option: 0.1}) for _ in range(2)
    )
    vae = _vae("relax", first, second)
    rng = np.random.default_rng(0)
    for v in vae.model_variables:  # Zeros would not decay.
        v.assign(rng.normal(size=v.shape))
    sets = vae.model_variables, vae.estimator_variables
    before = [_values(variables) for variables in sets]
    gradients = _gradients(vae)
    _fit(vae, 1, num=_BATCH)
    for variables, old, gradient in zip(sets, before, gradients, strict=True):
        changed = _OPTIONS[option](gradient, old)
        assert any(
            (a != b).any() for a, b in zip(changed, gradient, strict=True)
        )
        expected = [w - rate * g for w, g in zip(old, changed, strict=True)]
        _assert_same(_values(variables), expected, rtol=1e-4, atol=1e-5)


def _rich(rate=0.01, clipnorm=0.5, decay=0.1):
    return keras.optimizers.AdamW(
        rate,
        weight_decay=decay,
        global_clipnorm=clipnorm,
        use_ema=True,
        ema_momentum=0.5,
        ema_overwrite_frequency=3,
    )


def test_several_steps_a_call_are_several_calls():
    one = _vae("relax", _rich(), _rich())
    two = _vae("relax", _rich(), _rich(), steps_per_call=2)
    for vae in (one, two):
        _fit(vae, 2)
    assert one.step == two.step == 4
    _assert_same(
        _values(one.weights), _values(two.weights), rtol=1e-4, atol=1e-5
    )


def test_options_of_optimizers_act_at_each_step_of_a_program():
    sgd = keras.optimizers.SGD(
        1.0,
        weight_decay=0.1,
        global_clipnorm=1e-3,
        use_ema=True,
        ema_momentum=0.5,
    )
    vae = _vae(
        optimizer=sgd, run_eagerly=False, jit_compile=True, steps_per_call=2
    )
    before = _weights(vae)
    _fit(vae)
    # Weights w_0, 0.9 w_0 - g_1 and 0.9^2 w_0 - 0.9 g_1 - g_2, |g| = 0.001,
    # of which the last two are averaged.
    decayed = [0.5 * (0.9 + 0.9**2) * w for w in before]
    pairs = zip(_weights(vae), decayed, strict=True)
    moved = _norm([new - old for new, old in pairs])
    assert 0.5e-3 < moved < 1.45e-3
    assert vae.step == 2


@pytest.mark.parametrize("estimator", ["relax", "leave_one_out"])
def test_fit_ends_with_the_moving_averages(estimator):
    def ema(rate):
        return keras.optimizers.SGD(rate, use_ema=True, ema_momentum=0.5)

    vae = _vae(estimator, ema(0.01), ema(1e-4))
    after = _After()
    _fit(vae, 3, [after], num=_BATCH)
    w = after.weights  # Beginning, then one step an epoch.
    expected = [
        0.25 * a + 0.25 * b + 0.5 * c for a, b, c in zip(*w[1:], strict=True)
    ]
    _assert_same(_weights(vae), expected, rtol=1e-5, atol=1e-6)
    averages = vae.control_variate_optimizer._model_variables_moving_average
    _assert_same(_values(vae.estimator_variables), _values(averages))


@pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason="Before, SwapEMAWeights wants one optimizer of all variables",
)
def test_swapped_averages_are_what_is_evaluated():
    sgd = keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9)
    vae = _vae("leave_one_out", sgd)
    plain, swapped = (
        _fit(vae, 1, callbacks, num=_BATCH, validate=True)["val_elbo"][0]
        for callbacks in ([], [keras.callbacks.SwapEMAWeights()])
    )
    assert plain != swapped


def test_gradient_accumulation_is_refused():
    sgd = keras.optimizers.SGD(0.1, gradient_accumulation_steps=4)
    with pytest.raises(ValueError, match="accumulation_steps=4. Use larger"):
        _vae(optimizer=sgd)
    with pytest.raises(ValueError, match="`control_variate_optimizer` must"):
        _vae(other=sgd)


# --- Precision and debugging -----------------------------------------------


@pytest.fixture
def policy():
    """Sets a policy of Keras for a test."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_takes_the_step_of_float32(name, policy):
    full = _vae("relax", other=keras.optimizers.SGD(1e-4))
    policy(name)
    mixed = _vae("relax", other=keras.optimizers.SGD(1e-4))
    scales = isinstance(mixed.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scales == (name == "mixed_float16")
    assert {v.dtype for v in mixed.weights} <= {"float32", "uint32"}
    inside = []
    call = mixed.encoders[0].layers[-1].call
    mixed.encoders[0].layers[-1].call = lambda x: (
        inside.append(x.dtype) or (call(x))
    )
    before = _values(full.trainable_variables)
    for vae in (full, mixed):
        _fit(vae, 1, num=_BATCH)
    assert set(inside) == {tf.as_dtype(name.removeprefix("mixed_"))}
    for old, a, b in zip(
        before,
        full.trainable_variables,
        mixed.trainable_variables,
        strict=True,
    ):
        step = np.asarray(a) - old  # bfloat16 has three digits.
        np.testing.assert_allclose(b - old, step, atol=0.1 * _norm([step]))


@pytest.mark.parametrize("steps", [1, 2])
def test_an_overflow_in_float16_leaves_out_the_step(steps, policy):
    policy("mixed_float16")
    vae = _vae("relax", keras.optimizers.Adam(0.01), steps_per_call=steps)
    vae.optimizer.dynamic_scale.assign(2.0**126)
    vae.control_variate_optimizer.dynamic_scale.assign(2.0**126)
    before = _values(vae.trainable_variables)
    _fit(vae, 1)
    _assert_same(_values(vae.trainable_variables), before)
    assert vae.step == 0
    for x in (vae.optimizer, vae.control_variate_optimizer):
        assert float(x.dynamic_scale) == 2.0**124
        x.dynamic_scale.assign(2.0**10)
    _fit(vae, 1)
    assert vae.step == 2
    for old, new in zip(before, vae.trainable_variables, strict=True):
        assert np.isfinite(new).all() and (np.asarray(new) != old).any()


def test_an_overflow_of_the_control_variate_alone_leaves_out_the_step(policy):
    policy("mixed_float16")
    vae = _vae("relax", other=keras.optimizers.Adam(0.01))
    vae.estimator_variables[0].assign(np.inf)
    before = _values(vae.model_variables)
    _fit(vae, 1, num=_BATCH)
    _assert_same(_weights(vae), before)
    moments = vae.control_variate_optimizer.inner_optimizer.variables
    assert all(np.isfinite(x).all() for x in _values(moments))


def test_a_loss_scale_optimizer_is_saved_once(policy, tmp_path):
    policy("mixed_float16")
    vae = _vae("relax", keras.optimizers.Adam(0.01))
    _fit(vae, 1)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    for name in ("optimizer", "control_variate_optimizer"):
        mine, its = getattr(vae, name), getattr(loaded, name)
        assert type(its.inner_optimizer) is keras.optimizers.Adam
        _assert_same(_values(mine.variables), _values(its.variables))


def test_run_eagerly_shows_numbers_and_trains_alike():
    seen = []

    class Watched(models.DiscreteVAE):
        def negative_elbo(self, posterior, images, kl_weight=1.0):
            seen.append(tf.executing_eagerly() and images.numpy().shape)
            return super().negative_elbo(posterior, images, kl_weight)

    vaes = []
    for eagerly in (True, False):
        vae = Watched("linear1", 3, "leave_one_out", image_shape=(_PIXELS,))
        # XLA, the default of `compile`, gives way to the wish for eagerness.
        options = {} if eagerly else {"jit_compile": False}
        vae.compile("sgd", run_eagerly=eagerly, **options)
        _fit(vae, 1, num=_BATCH)
        vaes.append(vae)
    assert seen[0] == (_BATCH, _PIXELS) and seen[-1] is False
    _assert_same(*map(_weights, vaes), rtol=1e-4, atol=1e-5)


def test_predictions_of_mixed_precision_are_those_of_float32():
    vae = _vae()
    expected = vae.predict(_images(), verbose=0)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = _vae()
        mixed.set_weights(vae.get_weights())
        found = mixed.predict(_images(), verbose=0)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x[:, :4], "Images must have the shape"),
        (lambda x: 255 * x, "Divide grey levels"),
        (lambda x: x[:0], "one image at least"),
        (lambda x: tf.data.Dataset.from_tensors(255 * x), "Divide grey levels"),
    ],
    ids=["pixels", "grey", "empty", "data"],
)
def test_wrong_images_are_named_after_right_ones(method, wrong, message):
    vae = _vae()
    getattr(vae, method)(_images(), verbose=0)
    with pytest.raises(ValueError, match=message):
        getattr(vae, method)(wrong(_images()), verbose=0)


def test_images_of_unknown_shape_are_not_cut_anew():
    vae = _vae()
    size = int(np.prod(vae.image_shape)) // 2
    spec = tf.TensorSpec([None, None])
    call = tf.function(vae.posterior, input_signature=[spec])
    with pytest.raises(tf.errors.InvalidArgumentError, match="reshape"):
        call(tf.zeros([4, size])).logits  # noqa: B018


def _with_mean(mean):
    return models.DiscreteVAE("linear1", 3, mean=mean, image_shape=(_PIXELS,))


def test_a_clone_has_the_mean_image():
    vae = _with_mean(_images().mean(0))
    clone = keras.models.clone_model(vae)
    np.testing.assert_array_equal(clone.mean, vae.mean)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda vae, path: vae.save(path / "x.h5"), r"`\.keras` file"),
        (lambda vae, path: vae.export(path), r"encoders\[0\]\.export"),
        (lambda vae, path: _with_mean(np.zeros(3)), "`mean` must be a number"),
        (lambda *_: models.DiscreteVAE("linear1", 0), "num_latents=0"),
        (lambda *_: models.DiscreteVAE("linear1", "8"), "num_latents='8'"),
        (lambda *_: models.DiscreteVAE("linear1", seed=None), "seed=None"),
        (lambda vae, path: vae.compile(None), "`optimizer` must be.*: None"),
    ],
    ids=["h5", "export", "mean", "no_latents", "word", "seed", "optimizer"],
)
def test_what_cannot_be_says_what_can(wrong, message, tmp_path):
    with pytest.raises((ValueError, NotImplementedError), match=message):
        wrong(_vae(), tmp_path)
    assert not list(tmp_path.iterdir())
