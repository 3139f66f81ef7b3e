"""Replicas are single runs side by side; a sweep is a run of them."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from tf_relax import datasets
from tf_relax import experiments
from tf_relax.experiments import _plots
from tf_relax.models import DiscreteVAE
from tf_relax.models import Replicas
from tf_relax.models._replicated_optimizer import replicated
from tf_relax.relaxations._philox import formula

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_PIXELS = 36
# Seed, learning rate, temperature, weight decay of each replica.
_RUNS = ((0, 0.02, 0.5, 0.0), (0, 0.01, 0.3, 4.0), (3, 0.02, 0.5, 1.0))
_SETTINGS = dict(
    architecture="linear1",
    num_latents=4,
    batch_size=8,
    steps_per_call=2,
    steps=12,  # Three epochs of four.
    bound_samples=2,
    jit_compile=False,
    learning_rate="0.01,0.02",
    seed="0,3",
)


def _images(num, seed):
    rng = np.random.default_rng(seed)
    return (rng.random((num, _PIXELS)) < 0.3).astype(np.uint8)


@pytest.fixture
def tiny(monkeypatch):
    data = datasets.ImageDataset(
        "tiny", _images(32, 1), _images(20, 2), _images(20, 3), False
    )
    monkeypatch.setattr(datasets, "load", lambda *args, **kwargs: data)
    return data


def _model(architecture, estimator, run, *, decay=None):
    seed, _, temperature, own = run
    named = estimator in ("relax", "relax_network")
    options = {"weight_decay": own if decay is None else decay}
    return DiscreteVAE(
        architecture,
        5,
        estimator,
        0.3,
        image_shape=(_PIXELS,),
        seed=seed,
        temperature=temperature,
        estimator_options=options if named else None,
    )


def _momentum(rate):
    return keras.optimizers.SGD(rate / 10.0, momentum=0.8)


def _replicas(architecture, estimator, make=keras.optimizers.Adam, **kwargs):
    largest = max(decay for *_, decay in _RUNS)
    return Replicas(
        [_model(architecture, estimator, r, decay=largest) for r in _RUNS],
        [make(rate) for _, rate, _, _ in _RUNS],
        weight_decays=[decay / largest for *_, decay in _RUNS],
        **kwargs,
    )


def _single(architecture, estimator, run, make=keras.optimizers.Adam, **kwargs):
    model = _model(architecture, estimator, run)
    model.compile(make(run[1]), **kwargs)
    return model


def _fit_and_compare(replicas, architecture, estimator, singles, atol):
    """Trains both on two calls of two steps; each seed has its own images."""
    images = {0: _images(32, 10), 3: _images(32, 11)}
    both = np.stack([images[seed] for seed in replicas.sources], 1)
    elbos = [replicas.train(both[i : i + 16]).numpy() for i in (0, 16)]
    measured = replicas.measure(images[0], batch_size=20, bound_samples=2)
    for index, (run, single) in enumerate(zip(_RUNS, singles, strict=True)):
        history = single.fit(
            images[run[0]], batch_size=16, shuffle=False, verbose=0
        ).history
        np.testing.assert_allclose(
            np.mean(elbos, 0)[index], history["elbo"][0], rtol=1e-5
        )
        copy = _model(architecture, estimator, run)
        replicas.copy_to(copy, index)
        for mine, alone in zip(copy.weights, single.weights, strict=True):
            np.testing.assert_allclose(
                mine.numpy(), alone.numpy(), rtol=0, atol=atol
            )
        alone = single.evaluate(
            images[0], batch_size=20, verbose=0, return_dict=True
        )
        assert {"loss", *measured} == set(alone)
        for name, values in measured.items():
            np.testing.assert_allclose(values[index], alone[name], rtol=1e-4)


# Four steps of Adam of 0.01 or 0.02 each: an equality that is off by a draw,
# an image or a learning rate is off by 1e-2. Adam divides the rounding of a
# derivative near zero by its epsilon, 1e-7: up to 1.1e-6 was seen.
@pytest.mark.parametrize(
    ("architecture", "estimator", "make"),
    [
        ("linear1", "relax", keras.optimizers.Adam),
        ("linear2", "nvil", _momentum),
    ],
)
def test_a_replica_is_the_run_alone(architecture, estimator, make, float64):
    warmups = (3, 0, 5)
    replicas = _replicas(
        architecture,
        estimator,
        make,
        steps_per_call=2,
        control_variate_every=2,
        kl_warmup_steps=warmups,
        jit_compile=False,
    )
    singles = [
        _single(
            architecture,
            estimator,
            run,
            make,
            run_eagerly=True,
            bound_samples=2,
            steps_per_call=2,
            control_variate_every=2,
            kl_warmup_steps=warmup,
        )
        for run, warmup in zip(_RUNS, warmups, strict=True)
    ]
    _fit_and_compare(replicas, architecture, estimator, singles, atol=1e-5)


def test_a_replica_is_the_run_alone_by_xla(float64):
    known = _images(40, 9)  # On the device.
    replicas = _replicas("linear1", "rebar", steps_per_call=2, images=known)
    replicas._stacked._drawing = formula  # As on a GPU.
    rows = {0: np.arange(16), 3: np.arange(39, 23, -1)}
    images = {seed: known[own] for seed, own in rows.items()}
    both = np.stack([rows[seed] for seed in replicas.sources], 1)
    elbo = replicas.train(both).numpy()
    single = _single("linear1", "rebar", _RUNS[2], steps_per_call=2)
    history = single.fit(
        images[3], batch_size=16, shuffle=False, verbose=0
    ).history
    np.testing.assert_allclose(elbo[2], history["elbo"][0], rtol=1e-5)
    copy = _model("linear1", "rebar", _RUNS[2])
    replicas.copy_to(copy, 2)
    for mine, alone in zip(copy.weights, single.weights, strict=True):
        np.testing.assert_allclose(
            mine.numpy(), alone.numpy(), rtol=0, atol=1e-5
        )


def test_control_variates_are_trained_alone_as_in_single_runs(float64):
    images = _images(50, 4)
    replicas = _replicas("linear1", "relax_network", jit_compile=False)
    before = [v.numpy() for v in replicas.optimizer.variables]
    for steps in (3, 2):
        replicas.fit_control_variates(images, 8, steps)
    for index, run in enumerate(_RUNS):
        single = _single("linear1", "relax_network", run, jit_compile=False)
        for steps in (3, 2):
            single.fit_control_variates(images, 8, steps)
        copy = _model("linear1", "relax_network", run)
        start = [v.numpy() for v in copy.estimator_variables]
        replicas.copy_to(copy, index)
        for mine, alone, old in zip(
            copy.estimator_variables,
            single.estimator_variables,
            start,
            strict=True,
        ):
            np.testing.assert_allclose(
                mine.numpy(), alone.numpy(), rtol=0, atol=1e-5
            )
            assert not np.allclose(mine.numpy(), old)
    for variable, old in zip(replicas.optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, old)


@pytest.mark.parametrize(
    "make",
    [
        lambda rate: keras.optimizers.Adam(rate, beta_2=0.9),
        lambda rate: keras.optimizers.SGD(rate, momentum=0.8, nesterov=True),
    ],
    ids=["adam", "sgd"],
)
def test_schedules_are_each_replicas_own(make):
    cosine = keras.optimizers.schedules.CosineDecay
    rates = [cosine(0.1, 4), cosine(0.2, 4, 0.5), 0.3]
    of_all = replicated([make(rate) for rate in rates])
    stacked = keras.Variable(np.ones((3, 2), "float32"))
    of_all.build([stacked])
    alone = [keras.Variable(np.ones(2, "float32")) for _ in rates]
    optimizers = [make(rate) for rate in rates]
    rng = np.random.default_rng(0)
    for _ in range(6):
        gradients = rng.normal(size=(3, 2)).astype("float32")
        of_all.apply([gradients], [stacked])
        for optimizer, gradient, variable in zip(
            optimizers, gradients, alone, strict=True
        ):
            optimizer.apply([gradient], [variable])
    np.testing.assert_allclose(
        stacked.numpy(), np.stack([v.numpy() for v in alone]), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("models", "rates", "message"),
    [
        ([], [], "a model at least"),
        (["relax", "relax"], [0.1], "one entry a model.*1 for 2"),
        (["relax", "rebar"], [0.1, 0.1], "alike.*RELAX.*REBAR"),
    ],
    ids=["none", "rates", "estimators"],
)
def test_models_that_are_no_replicas_are_refused(models, rates, message):
    with pytest.raises(ValueError, match=message):
        Replicas(
            [_model("linear1", e, _RUNS[0]) for e in models],
            [keras.optimizers.Adam(rate) for rate in rates],
        )


@pytest.mark.parametrize(
    ("optimizers", "message"),
    [
        (["Lion", "Lion"], "all of Adam or all of SGD. Received: Lion"),
        (["Adam", "SGD"], "Received: Adam, SGD"),
        (
            [("Adam", {"beta_2": 0.9}), ("Adam", {"beta_2": 0.99})],
            r"alike.*beta_2=\[0\.9, 0\.99\]",
        ),
        ([("Adam", {"clipnorm": 1.0})] * 2, "cannot have `clipnorm`.*=1.0"),
        (
            [("SGD", {"learning_rate": lambda: 0.1})],
            "numbers or schedules.*lambda",
        ),
    ],
    ids=["kind", "kinds", "alike", "clipnorm", "callable"],
)
def test_optimizers_that_cannot_be_replicated_are_refused(optimizers, message):
    made = [o if isinstance(o, tuple) else (o, {}) for o in optimizers]
    with pytest.raises(ValueError, match=message):
        replicated([getattr(keras.optimizers, n)(**kw) for n, kw in made])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("adam", "a list with one entry a model. Received: 'adam'"),
        (keras.optimizers.SGD(), "a list with one entry a model.*SGD"),
        (["adam", "adam"], "Received: str"),
    ],
)
def test_what_is_no_list_of_optimizers_is_named(given, message):
    models = [_model("linear1", "relax", run) for run in _RUNS[:2]]
    good = [keras.optimizers.Adam(0.1) for _ in models]
    for optimizers in ((given,), (good, given)):
        with pytest.raises(ValueError, match=message):
            Replicas(models, *optimizers)


def test_what_an_optimizer_has_learned_is_not_dropped_unseen():
    adam = keras.optimizers.Adam(0.1)
    adam.build([keras.Variable(np.ones(2, "float32"))])
    with pytest.raises(ValueError, match="must be new"):
        replicated([adam])


def test_images_need_an_axis_of_seeds():
    replicas = _replicas("linear1", "relax", jit_compile=False)
    for shape in ((8, _PIXELS), (8, 3, _PIXELS)):
        with pytest.raises(ValueError, match=r"\[K \* B, 2, D\].*\[0, 3\]"):
            replicas.train(np.zeros(shape, np.uint8))


def _sweep(out, **settings):
    return experiments.train_sweep(
        experiments.SweepSettings(**_SETTINGS | settings), out
    )


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_writes_what_it_promises(tiny, tmp_path):
    pytest.importorskip("matplotlib")
    summary = _sweep(tmp_path)
    rows = _rows(tmp_path / "metrics.csv")
    assert list(rows[0]) == [
        "replica",
        "learning_rate",
        "seed",
        "step",
        "epoch",
        "seconds",
        "elbo",
        "val_elbo",
        "val_gradient_variance",
    ]
    product = [("0.01", "0"), ("0.01", "3"), ("0.02", "0"), ("0.02", "3")]
    assert [(r["learning_rate"], r["seed"]) for r in rows] == 3 * product
    assert [r["step"] for r in rows[::4]] == ["4", "8", "12"]
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    elbos = [own["valid_elbo"] for own in summary["replicas"]]
    assert summary["best"] == summary["replicas"][int(np.argmax(elbos))]
    last = [float(row["val_elbo"]) for row in rows[-4:]]
    np.testing.assert_allclose(elbos, last, rtol=1e-5)
    assert {"test_elbo", "test_bound", "learning_rate"} < set(summary["best"])
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["settings"]["seed"] == "0,3"
    assert "--learning_rate=0.01,0.02" in (
        (tmp_path / "flags.txt").read_text().splitlines()
    )
    best = keras.models.load_model(tmp_path / "best.keras")
    assert best.seed == summary["best"]["seed"]


def test_a_sweep_has_the_numbers_of_train_vae(tiny, tmp_path, monkeypatch):
    # It draws 64 images of 28 x 28.
    monkeypatch.setattr(_plots, "draw_images", lambda *args: None)
    summary = _sweep(tmp_path / "sweep", steps=4, posterior=True)
    alone = experiments.train_vae(
        experiments.VAESettings(
            **_SETTINGS
            | dict(steps=4, learning_rate=0.02, seed=3, posterior=True)
        ),
        tmp_path / "alone",
    )
    (own,) = (
        own
        for own in summary["replicas"]
        if (own["learning_rate"], own["seed"]) == (0.02, 3)
    )
    # float32: the rounding of a weight's derivative near zero moves it by
    # one step of Adam at the most, and an ELBO of 24 nats by 1e-3 of it.
    for name in ("valid_elbo", "test_elbo", "test_bound"):
        np.testing.assert_allclose(own[name], alone[name], rtol=1e-3)
    rows, (of_alone,) = (
        _rows(tmp_path / run / "posterior.csv") for run in ("sweep", "alone")
    )
    of_own = rows[own["replica"]]
    assert of_own["learning_rate"] == "0.02" and of_own["seed"] == "3"
    for name in ("kl", "posterior_entropy", "kl_of_unit_q50"):
        assert float(of_own[name]) == pytest.approx(
            float(of_alone[name]), rel=1e-3
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": ".1,,.2"}, r"numbers from 0 .*'' in it"),
        ({"learning_rate": ".1;.2"}, r"'\.1;\.2' in it"),
        ({"learning_rate": "-0.1"}, r"learning_rate=-0\.1"),
        ({"learning_rate": "nan"}, "'nan' in it"),
        ({"seed": "0,1.5"}, r"whole numbers from 0 .*'1\.5' in it"),
        ({"seed": "0,1,0"}, "each value once.*0 twice"),
        ({"learning_rate": "0.1,.1"}, r"each value once.*0\.1 twice"),
        ({"variance_of": "relax"}, "variance_of=relax"),
        ({"estimator": "rellax"}, "Did you mean 'relax'"),
        ({"batch_size": 50}, "batch_size=50, steps_per_call=2"),
    ],
    ids=lambda x: "-".join(map(str, x.values())) if isinstance(x, dict) else "",
)
def test_wrong_settings_are_named_and_leave_nothing(
    settings, message, tiny, tmp_path
):
    with pytest.raises(ValueError, match=message):
        _sweep(tmp_path / "sweep", **settings)
    assert not (tmp_path / "sweep").exists()


def test_the_same_numbers_written_otherwise_are_the_same_sweep(tiny, tmp_path):
    path = tmp_path / "config.json"
    settings = experiments.SweepSettings(**_SETTINGS).written_alike()
    path.write_text(json.dumps({"settings": vars(settings)}))
    (tmp_path / "metrics.csv").touch()
    message = r"seed '0,3', now '0,1'; .*|.*temperature '0\.5', now '0\.1'"
    with pytest.raises(ValueError, match=message):
        _sweep(tmp_path, seed="0,1", temperature=".1")
    _sweep(tmp_path, steps=4, learning_rate=".01,2e-2")


def test_the_binary_runs(tmp_path):
    result = subprocess.run(
        [
            sys.executable,
            str(_ROOT / "bin" / "sweep.py"),
            f"--flagfile={_ROOT / 'bin' / 'configs' / 'first.txt'}",
            "--architecture=linear1",
            "--estimator=rebar",
            "--num_latents=5",
            "--batch_size=500",
            "--steps_per_call=10",
            "--steps=20",
            "--bound_samples=0",
            "--nojit_compile",
            "--learning_rate=.005,.001",
            f"--out={tmp_path / 'sweep'}",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    assert result.returncode == 0, result.stderr[-2000:]
    rows = _rows(tmp_path / "sweep" / "metrics.csv")
    assert [row["step"] for row in rows] == ["20", "20"]
