"""The binaries and the experiments behind them: files, errors, resuming."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
from unittest import mock

import few_images
import keras
import numpy as np
import pytest

from tf_relax import datasets
from tf_relax import experiments
from tf_relax.experiments import _benchmark
from tf_relax.experiments import _benchmark_tables
from tf_relax.experiments import _floor
from tf_relax.experiments import _precision
from tf_relax.experiments import _timers

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_SMALL = dict(
    architecture="linear1",
    num_latents=10,
    batch_size=500,
    steps_per_call=20,
    bound_samples=0,
    jit_compile=False,
)


def _command(binary, *arguments):
    return [sys.executable, str(_ROOT / "bin" / binary), *map(str, arguments)]


def _run(binary, *arguments):
    return subprocess.run(
        _command(binary, *arguments),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _train(out, **settings):
    """Trains on few images: epochs of 100 steps, as of 50,000 by 500."""
    settings = experiments.VAESettings(**_SMALL | {"batch_size": 10} | settings)
    with mock.patch.object(datasets, "load", few_images.load):
        return experiments.train_vae(settings, out)


def _without_seconds(path):
    return [
        {name: x for name, x in row.items() if name != "seconds"}
        for row in _rows(path)
    ]


def test_train_vae_writes_what_it_promises(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("tensorboard")
    summary = _train(tmp_path, steps=200, bound_samples=3)
    rows = _rows(tmp_path / "metrics.csv")
    assert list(rows[0])[:5] == ["step", "epoch", "seconds", "elbo", "val_elbo"]
    assert [row["step"] for row in rows] == ["100", "200"]
    assert float(rows[1]["val_elbo"]) > float(rows[0]["val_elbo"])
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["settings"]["learning_rate"] == 1e-3
    assert set(config) > {"versions", "device", "xla", "seed", "commit"}
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert summary["test_bound"] > summary["test_elbo"]
    for name in ("curves.png", "images.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "events").glob("train/events*"))
    model = keras.models.load_model(tmp_path / "model.keras")
    assert int(model.optimizer.iterations) == 200


def test_flags_txt_repeats_the_settings(tmp_path):
    settings = experiments.VAESettings(learning_rate=0.003, jit_compile=False)
    experiments.write_flags(settings, tmp_path / "flags.txt")
    lines = (tmp_path / "flags.txt").read_text().splitlines()
    assert "--learning_rate=0.003" in lines
    assert "--jit_compile=false" in lines


def test_interrupted_binary_exits_with_130_and_says_what_resumes(tmp_path):
    arguments = [f"--{k}={str(v).lower()}" for k, v in _SMALL.items()]
    process = subprocess.Popen(
        _command("train_vae.py", f"--out={tmp_path}", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    for line in process.stdout:
        if "TensorFlow traces" in line:  # It is about to train.
            break
    process.send_signal(signal.SIGTERM)
    output = process.communicate()[0]
    assert process.returncode == 130, output
    assert "The same command goes on" in output
    assert (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": "rellax"}, "'rellax'.*Did you mean 'relax'"),
        ({"architecture": "linear_1"}, "Did you mean 'linear1'"),
        ({"dataset": "mnits"}, "Did you mean 'mnist'"),
        ({"batch_size": 5000}, "batch_size=5000, steps_per_call=20"),
        ({"binarization": "dynamic"}, "data_dir"),
        (
            {"estimator": "leave_one_out", "num_samples": 1},
            "num_samples >= 2",
        ),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_wrong_settings_are_named_and_leave_nothing(
    settings, message, tmp_path
):
    with pytest.raises(ValueError, match=message):
        experiments.train_vae(
            experiments.VAESettings(**_SMALL | settings), tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()


def test_a_binary_is_its_program(tmp_path):
    result = _run("train_vae.py", f"--out={tmp_path / 'run'}", "--estimator=rx")
    assert result.returncode == 1
    assert "train_vae: flag --estimator=rx: Unknown" in result.stderr
    assert "Traceback" not in result.stderr


def test_toy_starts_at_the_known_variance_and_writes_its_files(tmp_path):
    pytest.importorskip("matplotlib")
    settings = experiments.ToySettings(steps=200, num_seeds=2, seed=3)
    experiments.run_toy(settings, tmp_path)
    rows = _rows(tmp_path / "metrics.csv")
    assert list(rows[0]) == [
        "estimator",
        "seed",
        "step",
        "theta",
        "loss",
        "log_variance",
    ]
    assert len(rows) == 3 * 2 * 21
    start = [float(r["log_variance"]) for r in rows if r["step"] == "0"]
    # At theta = 1/2 REINFORCE has -4.159 and RELAX, whose control variate
    # starts at zero, the same; b - 1/2 takes two values, so the sample
    # variance of 1,000 draws is within 1 % but for the draw of signs.
    np.testing.assert_allclose(
        [*start[:2], *start[4:]], np.log(0.125**2), atol=0.02
    )
    end = {
        r["estimator"]: float(r["log_variance"])
        for r in rows
        if r["step"] == "200"
    }
    assert end["relax"] < -8.0 < end["reinforce"]
    assert (tmp_path / "curves.png").exists()


@pytest.fixture
def rough_rates(monkeypatch):
    """What the machine does is measured in no time."""
    monkeypatch.setattr(_floor, "_PRODUCTS", 1)
    monkeypatch.setattr(_floor, "_FLOATS", 1 << 16)
    monkeypatch.setattr(_benchmark, "_MAIN_MEMORY", 1 << 16)


def test_benchmark_columns_and_reference(tmp_path, rough_rates):
    settings = experiments.BenchmarkSettings(
        estimator="leave_one_out,rebar",
        architecture="linear1",
        batch_size="10",
        steps_per_call="2",
        jit_compile="false",
        replicas="1,2",
        rounds=2,
        steps_per_round=2,
    )
    experiments.benchmark(settings, tmp_path / "b.csv")
    rows = _rows(tmp_path / "b.csv")
    assert list(rows[0]) == [
        "estimator",
        "architecture",
        "batch_size",
        "steps_per_call",
        "jit_compile",
        "replicas",
        "num_latents",
        "num_samples",
        "control_variate_every",
        "median_ms",
        "min_ms",
        "max_ms",
        "compile_seconds",
        "ratio_to_leave_one_out",
        "ratio_to_single_runs",
        "matrix_mflop",
        "adam_mbytes",
        "floor_ms",
        "fraction_of_floor",
        "memory_fraction",
    ]
    assert (tmp_path / "b.png").stat().st_size > 0
    assert [row["replicas"] for row in rows] == ["1", "1", "2", "2"]
    assert float(rows[0]["ratio_to_leave_one_out"]) == 1.0
    assert float(rows[1]["ratio_to_single_runs"]) == 1.0
    # A median of ratios lies between those of the extremes; 1 % is rounding.
    own, alone = (
        [float(rows[i][f"{x}_ms"]) for x in ("min", "max")] for i in (3, 1)
    )
    ratio = float(rows[3]["ratio_to_single_runs"])
    assert own[0] / (2 * alone[1]) * 0.99 <= ratio
    assert ratio <= own[1] / (2 * alone[0]) * 1.01
    assert float(rows[1]["min_ms"]) <= float(rows[1]["median_ms"])
    beside = json.loads((tmp_path / "b.json").read_text())
    assert beside["matrix_product_gflops"] > 0


def test_compare_ranks_a_trained_control_variate_below_reinforce(tmp_path):
    _train(tmp_path / "run", steps=100)
    rows = experiments.compare(
        experiments.CompareSettings(
            estimator="reinforce,leave_one_out,relax",
            control_variate_steps=200,
            num_images=50,
            num_draws=240,
            reference_draws=16,
            rounds=1,
            jit_compile=False,
        ),
        tmp_path / "run" / "model.keras",
        tmp_path / "variance.csv",
    )
    assert (tmp_path / "variance.png").read_bytes().startswith(b"\x89PNG")
    assert _rows(tmp_path / "variance.csv")[0]["note"] == ""
    assert [r["f_evaluations"] for r in rows] == ["1", "2", "2"]
    assert all(abs(float(r["bias_z"])) < 5.0 for r in rows)
    variance = {r["estimator"]: float(r["gradient_variance"]) for r in rows}
    error = {r["estimator"]: float(r["standard_error"]) for r in rows}
    for low, high in (("relax", "leave_one_out"), ("relax", "reinforce")):
        margin = 6 * (error[low] + error[high])
        assert variance[low] + margin < variance[high]


def test_compare_at_a_black_box(tmp_path):
    rows = experiments.compare(
        experiments.CompareSettings(
            problem="black_box",
            estimator="leave_one_out,rebar,disarm",
            num_samples="2,4",
            control_variate_steps=0,
            num_draws=80,
            rounds=0,
        ),
        None,
        tmp_path / "b.csv",
    )
    assert [(r["estimator"], r["num_samples"]) for r in rows] == [
        (name, number)
        for name in ("leave_one_out", "rebar", "disarm")
        for number in (2, 4)
    ]
    ratio = {
        (r["estimator"], r["num_samples"]): r["ratio_to_leave_one_out"]
        for r in rows
    }
    assert ratio["rebar", 2] == ratio["rebar", 4] == ""
    assert ratio["leave_one_out", 2] == "1"
    assert float(ratio["leave_one_out", 4]) < 0.6
    assert rows[2]["note"] == "needs the derivative of f"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"problem": "blackbox"}, "Did you mean 'black_box'"),
        (
            {"problem": "black_box", "num_samples": "1,two"},
            "num_samples=1,two",
        ),
        ({}, "needs a model"),
        ({"problem": "black_box", "data_dir": "x"}, "no images.*data_dir=x"),
        (
            {"problem": "black_box", "estimator": "rebar"},
            "No estimator fits.*rebar needs the derivative of f",
        ),
        (
            {
                "problem": "black_box",
                "estimator": "leave_one_out",
                "num_samples": "1",
            },
            "can use so many samples.*num_samples=1",
        ),
    ],
    ids=["problem", "num_samples", "model", "images", "no_fit", "none_left"],
)
def test_wrong_settings_of_compare_are_named(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        experiments.compare(
            experiments.CompareSettings(**settings), None, tmp_path / "c.csv"
        )
    assert not list(tmp_path.iterdir())


def test_compare_without_a_model_says_where_it_was_sought(tmp_path):
    with pytest.raises(FileNotFoundError, match="no.keras"):
        experiments.compare(
            experiments.CompareSettings(),
            tmp_path / "no.keras",
            tmp_path / "variance.csv",
        )


def test_what_learns_nothing_is_timed_once():
    cases = experiments.BenchmarkSettings(
        estimator="leave_one_out,relax,arms+vargrad,arms+rebar_k",
        steps_per_call="10",
        jit_compile="true",
        control_variate_every="1,5",
    ).cases()
    found = [(case.estimator, case.control_variate_every) for case in cases]
    assert found == [
        ("leave_one_out", 1),
        ("relax", 1),
        ("arms+vargrad", 1),
        ("arms+rebar_k", 1),
        ("relax", 5),
        ("arms+rebar_k", 5),
    ]


def test_precisions_by_what_they_do_to_a_gradient(tmp_path, monkeypatch):
    monkeypatch.setattr(_precision, "_ROUNDS", 1)
    settings = experiments.PrecisionSettings(
        precision_architecture="linear1",
        precision_estimator="leave_one_out",
        precision_batch_size=4,
        precision_steps=1,
        precision_draws=2,
    )
    exact, tensor_float, rounded = experiments.precision(
        settings, tmp_path / "p.csv"
    )
    assert float(exact["error"]) == 0.0
    assert float(tensor_float["error"]) < 1e-2  # None without a GPU.
    assert 1e-4 < float(rounded["error"]) < 0.3
    assert float(rounded["ms"]) > 0.0
    assert keras.config.dtype_policy().name == "float32"


def test_matrix_products_of_a_step_are_counted():
    # Encoder and decoder forward, and the derivatives by their kernels; none
    # by the image, and none by b.
    case = _timers.Case("reinforce", "linear1", 100, 1, True, 1, 5)
    operations, weights = _timers.work(case, datasets.load("mnist"))
    assert operations == 2 * 2 * 2 * 100 * 784 * 5
    assert weights == 2 * 784 * 5 + 784 + 2 * 5


def test_work_is_the_mean_of_steps_that_differ():
    data = datasets.load("mnist")
    case = _timers.Case("rebar", "linear1", 100, 4, True, 1, 5)
    every, none = (
        _timers.work(case._replace(estimator=name), data)
        for name in ("rebar", "reinforce")
    )
    found = _timers.work(case._replace(control_variate_every=4), data)
    # Beside REINFORCE's: a relaxed sample forth and back in all steps, and the
    # second derivative, as much again or more, in a fourth of them.
    relaxed = 2 * 2 * 100 * 784 * 5
    assert every[0] >= none[0] + 2 * relaxed
    np.testing.assert_allclose(
        found[0], (every[0] + 3 * (none[0] + relaxed)) / 4
    )
    assert found[1] == none[1] + 2 / 4  # Temperature and scale.


def test_a_case_that_no_model_fits_is_left_out(tmp_path, rough_rates):
    settings = experiments.BenchmarkSettings(
        estimator="enumeration,leave_one_out",
        architecture="linear1",
        batch_size="2",
        steps_per_call="1",
        jit_compile="false",
        rounds=1,
        steps_per_round=1,
        num_latents="17",
        count_operations=False,
        measure_memory=True,
    )
    rows = experiments.benchmark(settings, tmp_path / "b.csv")
    assert [row["estimator"] for row in rows] == ["leave_one_out"]
    assert float(rows[0]["peak_mib"]) > 0 and "floor_ms" not in rows[0]
    assert (tmp_path / "b.png").stat().st_size > 0


def test_benchmarks_of_a_grid_are_one_table_and_one_picture(tmp_path):
    def rows(batch, times):
        return "".join(
            f"{name},linear1,{batch},{steps},{ms},{ms / 2},3.5,{peak}\n"
            for name, (ms, peak) in times.items()
            for steps in (1, 100)
        )

    header = (
        "estimator,architecture,batch_size,steps_per_call,median_ms,"
        "ratio_to_leave_one_out,compile_seconds,peak_mib\n"
    )
    small, large = (
        {"rebar": (m * 3.0, 70), "arm": (m * 2.0, 60)} for m in (1, 10)
    )
    (tmp_path / "grid").mkdir()
    for name, text in (
        ("timed_a", rows(24, small)),
        ("timed_b", rows(100, large)),
        ("memory", "".join(rows(24, small).splitlines(True)[1::2])),
    ):
        (tmp_path / "grid" / f"{name}.csv").write_text(header + text)
    table = _benchmark_tables.benchmark_grid(tmp_path).splitlines()
    assert table[0].startswith("| estimator | linear1, 24 | linear1, 100 |")
    assert table[2:] == [
        "| `arm` | 2 (1.00) | 20 (10.00) | 2 (1.00) | 3.5 | 60 |",
        "| `rebar` | 3 (1.50) | 30 (15.00) | 3 (1.50) | 3.5 | 70 |",
    ]
    pytest.importorskip("matplotlib")
    (path,) = experiments.draw_figures(tmp_path, tmp_path / "out", ["grid"])
    assert path.read_bytes().startswith(b"\x89PNG")
