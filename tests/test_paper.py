"""The paper's experiments: settings, evaluation, figures, tables, configs."""

import csv
import dataclasses
import itertools
import pathlib

from absl import flags
import keras
import numpy as np
import pytest
import tensorflow as tf
import test_bin

import tf_relax as tfr
from tf_relax import experiments
from tf_relax import models
from tf_relax.experiments import _floor
from tf_relax.experiments import _measure
from tf_relax.experiments import _vae_model
from tf_relax.experiments import _vae_tables
from tf_relax.models import _steps

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_CONFIGS = sorted((_ROOT / "bin" / "configs").glob("*.txt"))
_OWN_CONFIGS = {"first", "categorical"}  # Not the paper's.


def _settings_of(path, kind_of_settings=experiments.VAESettings):
    """Returns what a flag file says, by name, parsed as absl does."""
    values = flags.FlagValues()
    for field in dataclasses.fields(kind_of_settings):
        kind = {bool: "boolean", int: "integer", float: "float"}.get(
            type(field.default), "string"
        )
        define = getattr(flags, f"DEFINE_{kind}")
        define(field.name, field.default, "", flag_values=values)
    values(["test", f"--flagfile={path}"])
    return kind_of_settings(**values.flag_values_dict())


@pytest.mark.parametrize("path", _CONFIGS, ids=lambda path: path.stem)
def test_flag_files_are_whole_runs_of_what_their_names_say(path):
    settings = _settings_of(path)
    if path.stem not in _OWN_CONFIGS:
        cell = (settings.dataset, settings.architecture, settings.estimator)
        assert path.stem == "_".join(cell)
        assert (settings.steps, settings.batch_size) == (2_000_000, 24)
        assert settings.beta2 == 0.99999
    assert settings.estimator in models.estimator_names()
    assert settings.architecture in models.architectures()


def test_every_cell_of_table_1_has_a_flag_file():
    cells = {
        f"{data}_{architecture}_{estimator}"
        for data in ("mnist", "omniglot")
        for architecture in ("linear1", "linear2", "nonlinear")
        for estimator in ("concrete", "nvil", "muprop", "rebar", "relax")
    }
    assert cells == {path.stem for path in _CONFIGS} - _OWN_CONFIGS


@pytest.mark.parametrize("estimator", ["rebar", "relax"])
@pytest.mark.parametrize("architecture", ["linear1", "linear2", "nonlinear"])
@pytest.mark.parametrize("data", ["mnist", "omniglot"])
def test_grids_are_alike_for_rebar_and_relax(
    data, architecture, estimator, monkeypatch
):
    monkeypatch.chdir(_ROOT)  # They name other flag files.
    path = _ROOT / f"bin/configs/grid/{data}_{architecture}_{estimator}.txt"
    settings = _settings_of(path, experiments.SweepSettings)
    runs = settings.replicas()
    assert {(run.learning_rate, run.seed) for run in runs} == {
        (rate, seed)
        for rate in (0.005, 0.001, 0.0005, 0.0001, 0.00005)
        for seed in (0, 1, 2)
    }
    assert (settings.dataset, settings.architecture) == (data, architecture)
    assert (settings.estimator, settings.steps) == (estimator, 2_000_000)
    assert (settings.network_depth, runs[0].network_weight_decay) == (2, 0.0)


def _vae(**kwargs):
    vae = models.DiscreteVAE(
        kwargs.pop("architecture", "linear2"), 4, image_shape=(9,), **kwargs
    )
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    return vae


def _images(num=32):
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (num, 9)).astype(np.uint8)


def test_two_layers_are_the_densities_of_tfp():
    vae = _vae()
    vae.prior_logits.assign([0.3, -0.2, 1.0, -1.5])
    images = tf.constant(_images(6), tf.float32)
    q = vae.posterior(images)
    assert isinstance(q, tfr.distributions.Chain)
    first = q.first.draw((0, 1)).sample
    second = q.conditionals[0](first).draw((0, 2)).sample
    bernoulli = tfr.distributions.Bernoulli

    def log_prob(logits, x):
        return tf.reduce_sum(bernoulli(logits=logits).log_prob(x), -1)

    below = vae.decoders[1](2.0 * second - 1.0)
    above = vae.encoders[1](2.0 * first - 1.0)
    expected = (
        log_prob(vae.pixel_logits(first), images)
        + 0.4 * log_prob(below, first)
        + 0.4 * log_prob(vae.prior_logits, second)
        - 0.4 * log_prob(q.first.logits, first)
        - 0.4 * log_prob(above, second)
    )
    found = vae.log_weight(
        [first, second], images, q.first.logits, kl_weight=0.4
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_own_networks_of_two_layers_train_and_load(tmp_path):
    def network(size_in, size_out):
        return keras.Sequential(
            [keras.Input((size_in,)), keras.layers.Dense(size_out)]
        )

    vae = models.DiscreteVAE(
        encoder=[network(9, 5), network(5, 3)],
        decoder=[network(5, 9), network(3, 5)],
        image_shape=(9,),
        estimator=[tfr.REBAR(), tfr.MuProp()],
    )
    vae.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    elbo = vae.fit(_images(64), epochs=15, verbose=0).history["elbo"]
    assert elbo[-1] > elbo[0]
    assert vae.generate(3, seed=(0, 0)).shape == (3, 9)
    vae.save(tmp_path / "own.keras")
    loaded = keras.models.load_model(tmp_path / "own.keras")
    assert [type(e) for e in loaded.estimators] == [tfr.REBAR, tfr.MuProp]
    np.testing.assert_array_equal(
        loaded.predict(_images(4), verbose=0),
        vae.predict(_images(4), verbose=0),
    )


def test_as_many_estimators_as_layers():
    with pytest.raises(ValueError, match="1 for 2 layers"):
        _vae(estimator=tfr.REBAR())
    chain = _vae().posterior(_images(2))
    with pytest.raises(ValueError, match="1 for 2 layers"):
        tfr.expectation(
            lambda a, b: tf.reduce_sum(a, -1),
            chain,
            estimator=tfr.REBAR(),
            seed=(0, 0),
        )


def test_pretraining_moves_the_control_variate_alone():
    vae = _vae(estimator="relax")
    model = [v.numpy() for v in vae.model_variables]
    own = [v.numpy() for v in vae.estimator_variables]
    vae.fit_control_variates(_images(), batch_size=8, steps=10)
    assert int(vae.control_variate_optimizer.iterations) == 10
    assert int(vae.optimizer.iterations) == 0
    for before, now in zip(model, vae.model_variables, strict=True):
        np.testing.assert_array_equal(before, now)
    assert any(
        not np.array_equal(before, now)
        for before, now in zip(own, vae.estimator_variables, strict=True)
    )


def test_pretraining_takes_just_its_steps_and_goes_on():
    images = _images()
    vae = _vae(estimator="reinforce")
    vae.fit_control_variates(images, batch_size=4, steps=0)
    vae.fit_control_variates(images, batch_size=4, steps=103)
    assert int(vae.control_variate_optimizer.iterations) == 103
    average = vae.estimators[0].baseline
    before = float(average.read())
    vae.fit_control_variates(images, batch_size=4, steps=1)
    assert float(average.read()) != before


@pytest.mark.parametrize(
    ("vae", "images", "message"),
    [
        (lambda: _vae(), 255 * _images(), "Divide grey levels"),
        (
            lambda: models.DiscreteVAE("linear1", 4, image_shape=(9,)),
            _images(),
            "not compiled",
        ),
    ],
    ids=["grey", "compile"],
)
def test_pretraining_says_what_is_wrong(vae, images, message):
    with pytest.raises(ValueError, match=message):
        vae().fit_control_variates(images, batch_size=4, steps=1)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (([9, 5, 3], [9, 5]), "go together"),
        (([9, 5, 3], [9, 5, 4]), r"decoder input sizes must be \[5, 3\]"),
        (([9, 5, 3], [9, 6, 3]), "decoder input"),
    ],
    ids=["number", "top", "middle"],
)
def test_layers_must_fit_on_each_other(sizes, message):
    def network(size_in, size_out):
        return keras.Sequential(
            [keras.Input((size_in,)), keras.layers.Dense(size_out)]
        )

    up, down = sizes
    with pytest.raises(ValueError, match=message):
        models.DiscreteVAE(
            encoder=[network(a, b) for a, b in itertools.pairwise(up)],
            decoder=[network(b, a) for a, b in itertools.pairwise(down)],
            image_shape=(9,),
        )


def test_a_model_of_other_estimators_has_the_same_options():
    vae = _vae(estimator_options={"hidden": (7,), "coupled": False})
    other = vae.with_estimator("relax_network")
    assert other.encoders[1] is vae.encoders[1]
    assert other.estimators[1].control_variate.hidden == (7,)
    assert not other.estimators[0].coupled


def test_pretraining_lowers_the_variance():
    images = _images()
    vae = _vae(estimator="rebar", architecture="linear1", temperature=3.0)
    before = _variance(vae, images)
    vae.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    vae.fit_control_variates(images, batch_size=16, steps=200)
    after = _variance(vae, images)
    margin = 6 * (before.standard_error + after.standard_error)
    assert after.gradient_variance + margin < before.gradient_variance


def _variance(vae, images):
    cases = tfr.diagnostics.cases_of_models({"rebar": vae}, images)
    (measured,) = tfr.diagnostics.measure(
        cases,
        reference=cases[0],
        num_draws=300,
        reference_draws=8,
        rounds=0,
        jit_compile=False,
    )
    return measured


def test_variances_of_two_layers_are_followed(tmp_path):
    test_bin._train(
        tmp_path,
        architecture="linear2",
        num_latents=4,
        steps=20,
        estimator="disarm+leave_one_out",
        variance_of="relax,leave_one_out",
    )
    model = keras.models.load_model(tmp_path / "model.keras")
    found = [type(x) for x in model.estimators]
    assert found == [tfr.DisARM, tfr.LeaveOneOut]
    with open(tmp_path / "variance.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["estimator"] for row in rows] == ["relax", "leave_one_out"]
    assert all(float(row["gradient_variance"]) > 0 for row in rows)


def test_weight_decay_is_half_the_squared_weights_biases_too():
    network = tfr.control_variates.Network((3,), weight_decay=0.2)
    network.build((None, 2))
    for weight in network.weights:
        weight.assign(np.full(weight.shape, 2.0))
    num = sum(int(np.prod(w.shape)) for w in network.weights)
    total = float(sum(network.losses))
    assert total == pytest.approx(0.5 * 0.2 * 4.0 * num)


def test_weight_decay_pulls_the_network_to_zero():
    images = _images()
    norms = []
    for decay in (0.0, 100.0):
        vae = _vae(
            architecture="linear1",
            estimator="relax",
            estimator_options={"weight_decay": decay},
        )
        vae.fit_control_variates(images, batch_size=8, steps=100)
        kernels = [v for v in vae.estimator_variables if len(v.shape) == 2]
        norms.append(sum(float(np.sum(np.square(v))) for v in kernels))
    assert norms[1] < 0.9 * norms[0]


def test_kl_warm_up_weighs_training_and_not_the_metrics():
    vae = _vae(estimator="leave_one_out")
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False, kl_warmup_steps=4)
    images = _images(8)
    weights = [float(_steps.kl_weight(step, 4)) for step in range(6)]
    np.testing.assert_allclose(weights, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0])
    warm = vae.fit(images, batch_size=8, shuffle=False, verbose=0).history
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    plain = vae.fit(images, batch_size=8, shuffle=False, verbose=0).history
    np.testing.assert_allclose(warm["elbo"], plain["elbo"], rtol=1e-6)


def test_kl_warm_up_takes_no_more_matrix_products():
    images = tf.zeros([8, 784])  # As large as it takes for XLA to lose track.

    def operations(**options):
        vae = models.DiscreteVAE(estimator="rebar")
        vae.compile(keras.optimizers.SGD(0.1), **options)
        step = tf.function(vae._step, jit_compile=True, autograph=False)
        program = step.experimental_get_compiler_ir(images)
        return _floor.matrix_operations(program(stage="optimized_hlo"))

    assert operations(kl_warmup_steps=10) == operations() > 0


@pytest.mark.parametrize("name", ["cosine", "linear", "exponential"])
def test_schedules_end_at_their_part_of_the_learning_rate(name):
    schedule = experiments.SCHEDULES[name](0.1, 50, 0.2)
    np.testing.assert_allclose(float(schedule(0)), 0.1, rtol=1e-6)
    np.testing.assert_allclose(float(schedule(50)), 0.02, rtol=1e-5)


def test_a_schedule_counts_the_steps_of_its_own_optimizer():
    settings = experiments.VAESettings(
        learning_rate=0.1,
        learning_rate_schedule="linear",
        decay_steps=60,
        control_variate_every=3,
    )
    rates = [
        keras.optimizers.schedules.deserialize(x.get_config()["learning_rate"])
        for x in _vae_model.make_optimizers(settings)
    ]
    np.testing.assert_allclose(rates[0](30), rates[1](10), rtol=1e-6)
    assert float(rates[0](60)) == float(rates[1](20)) == 0.0


def test_the_optimizer_is_of_the_model_alone():
    settings = experiments.VAESettings(
        optimizer="sgd",
        learning_rate=0.1,
        momentum=0.8,
        beta2=0.99,
        control_variate_learning_rate_factor=0.01,
    )
    sgd, adam = _vae_model.make_optimizers(settings)
    assert isinstance(sgd, keras.optimizers.SGD) and sgd.momentum == 0.8
    assert isinstance(adam, keras.optimizers.Adam) and adam.beta_2 == 0.99
    np.testing.assert_allclose(float(sgd.learning_rate), 0.1, rtol=1e-6)
    np.testing.assert_allclose(float(adam.learning_rate), 0.001, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate_schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"learning_rate_schedule": "cosine"}, "needs decay_steps"),
        ({"decay_steps": 5}, "constant has no decay_steps"),
        (
            {"learning_rate_schedule": "exponential", "decay_steps": 5},
            "needs final_learning_rate",
        ),
        ({"optimizer": "sdg"}, "Unknown optimizer .*Did you mean 'sgd'"),
        ({"momentum": 0.5}, "adam has no momentum.*=0.5"),
        ({"variance_of": "relax,rebarr"}, "Did you mean 'rebar'"),
        ({"variance_of": "relax,"}, "Unknown estimator ''"),
    ],
    ids=[
        "schedule",
        "steps",
        "constant",
        "final",
        "optimizer",
        "momentum",
        "variance_of",
        "comma",
    ],
)
def test_wrong_settings_are_named(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        test_bin._train(tmp_path, steps=100, **settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run of REBAR with the variances of others beside it."""
    pytest.importorskip("matplotlib")
    out = tmp_path_factory.mktemp("results") / "vae" / "rebar"
    test_bin._train(
        out,
        estimator="rebar",
        steps=200,
        control_variate_pretraining=20,
        network_depth=1,
        variance_of="rebar,nvil,leave_one_out",
    )
    return out


def test_variances_are_followed_beside_the_training(run):
    rows = test_bin._rows(run / "variance.csv")
    assert [row["estimator"] for row in rows[:3]] == [
        "rebar",
        "nvil",
        "leave_one_out",
    ]
    assert {row["step"] for row in rows} == {"100", "200"}
    final = {row["estimator"]: float(row["gradient_variance"]) for row in rows}
    assert final["rebar"] < final["leave_one_out"] < final["nvil"]


def test_eval_vae_gives_every_split_with_errors(run, tmp_path):
    result = test_bin._run(
        "eval_vae.py",
        run / "model.keras",
        "--num_images=300",
        "--bound_samples=5",
        f"--out={tmp_path / 'e.csv'}",
    )
    assert result.returncode == 0, result.stderr
    rows = test_bin._rows(tmp_path / "e.csv")
    found = {(r["split"], r["quantity"]): r for r in rows}
    assert len(found) == len(rows) == 6
    for split in ("train", "valid", "test"):
        elbo, bound = found[split, "elbo"], found[split, "bound"]
        assert float(bound["nats"]) > float(elbo["nats"])
        assert 0.1 < float(elbo["standard_error"]) < 5.0
        assert elbo["nats"] in result.stdout


def test_evaluation_does_not_depend_on_the_batches():
    vae, images = _vae(architecture="linear1"), _images(40)
    first = _measure.evaluate(vae, images, 300, batch_size=40)
    other = _measure.evaluate(vae, images, 300, batch_size=10)
    for name in ("elbo", "bound"):
        error = first[name].standard_error + other[name].standard_error
        assert abs(first[name].mean - other[name].mean) < 6 * error
    assert first["bound"].mean > first["elbo"].mean


def test_components_add_up_to_the_estimate(run, tmp_path):
    rows = experiments.components(
        experiments.ComponentsSettings(num_draws=2000),
        run / "model.keras",
        tmp_path / "c.csv",
    )
    mean = {row["component"]: float(row["mean"]) for row in rows}
    np.testing.assert_allclose(
        mean["REINFORCE[f]"] - mean["REINFORCE[c]"] + mean["reparam[c]"],
        mean["RELAX"],
        atol=1e-3,
    )
    variance = {row["component"]: float(row["variance"]) for row in rows}
    assert variance["RELAX"] < 0.3 * variance["REINFORCE[f]"]
    bins = test_bin._rows(tmp_path / "c.csv")
    assert sum(int(row["count"]) for row in bins) == 4 * 2000
    with pytest.raises(ValueError, match="image=99999"):
        experiments.components(
            experiments.ComponentsSettings(image=99999),
            run / "model.keras",
            tmp_path / "c.csv",
        )


def test_figures_are_drawn_from_what_is_there(run, tmp_path):
    results = run.parent.parent
    settings = experiments.ToySettings(
        estimator="rebar,relax", steps=20, train_theta=False
    )
    experiments.run_toy(settings, results / "toy_fixed")
    (results / "variance").mkdir(exist_ok=True)
    (results / "variance" / "variance.csv").write_bytes(
        (run / "variance.csv").read_bytes()
    )
    drawn = experiments.draw_figures(
        results, tmp_path, list(experiments.FIGURES)
    )
    names = {path.name for path in drawn}
    assert names == {"relaxation.png", "vae_mnist_linear1.png", "variance.png"}
    for path in drawn:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_figures_without_runs_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="No CSV files"):
        experiments.draw_figures(tmp_path, tmp_path, ["toy"])
    with pytest.raises(ValueError, match="Did you mean 'toy'"):
        experiments.draw_figures(tmp_path, tmp_path, ["toi"])


def test_theta_stays_where_only_control_variates_are_trained(tmp_path):
    settings = experiments.ToySettings(
        estimator="reinforce,rebar", steps=50, train_theta=False
    )
    rows = experiments.run_toy(settings, tmp_path)
    assert {row["theta"] for row in rows} == {0.5}
    c = test_bin._rows(tmp_path / "relaxation.csv")
    assert {row["estimator"] for row in c} == {"rebar"}
    u = np.array([float(row["u"]) for row in c])
    values = np.array([float(row["c"]) for row in c])
    # A bowl in u about 1/2, as f(sigmoid) with t near 1/2 is.
    assert abs(u[np.argmin(np.abs(values))] - 0.5) < 0.02


def test_best_by_validation_takes_the_validation():
    def of(estimator, *values):
        return {
            "label": estimator,
            "metrics": [{"val_elbo": str(x)} for x in values],
        }

    runs = [of("a", -3, -1), of("a", -2, -2), of("b", -9)]
    assert experiments.best_by_validation(runs) == [runs[0], runs[2]]


def test_a_cell_has_the_best_mean_over_the_seeds(monkeypatch):
    def run(rate, seed, elbo):
        return {
            "dataset": "mnist",
            "architecture": "linear1",
            "estimator": "relax",
            "label": "relax",
            "learning_rate": rate,
            "seed": seed,
            "metrics": [{"epoch": "7", "elbo": "-9", "val_elbo": str(elbo)}],
            "summary": {"test_bound": -8.0},
        }

    # The lower rate is better at the first seed, the higher one in the mean.
    runs = [run(0.1, 0, -3), run(0.1, 1, -1), run(0.01, 0, -2.5)]
    monkeypatch.setattr(_vae_tables, "vae_runs", lambda results: runs)
    line = _vae_tables.vae(pathlib.Path()).splitlines()[-1]
    assert "| 0.1 | 2 | 7 | 9.00 +- 0.00 | 2.00 +- 1.41 | 8.00 +-" in line
    # One as long as the paper's, of epoch 200, stands in for a shorter one.
    runs[:] = [run(0.1, 0, -3), run(0.1, 0, -5)]
    for own, label in zip(runs, ("relax", "relax, 200 epochs"), strict=True):
        own |= {"architecture": "linear2", "label": label}
    line = _vae_tables.vae(pathlib.Path()).splitlines()[-1]
    assert "| linear2 | relax | 0.1 | 1 | 7 | 9.00 | 5.00 | 8.00 |" in line
