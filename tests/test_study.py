"""The tables and pictures of what estimators come to."""

import json

import pytest

from tf_relax import experiments
from tf_relax.experiments import _study
from tf_relax.experiments import _tables


def _write(results, name, rates, elbos, epochs=(10, 20, 30), **settings):
    """Writes a run, or a sweep over rates, of two layers."""
    out = results / "study" / name
    out.mkdir(parents=True)
    config = {
        "dataset": "mnist",
        "binarization": "static",
        "architecture": "linear2",
        "estimator": "relax",
        "num_samples": 0,
        "batch_size": 100,
        "kl_warmup_epochs": 0.0,
        "learning_rate_schedule": "constant",
        "beta2": 0.999,
        "learning_rate": rates[0],
        "seed": 0,
    }
    if len(rates) > 1:
        config["learning_rate"] = ",".join(map(str, rates))
    (out / "config.json").write_text(
        json.dumps({"settings": config | settings})
    )
    key = "replica,learning_rate," if len(rates) > 1 else ""
    metrics = [f"{key}step,epoch,elbo,val_elbo,val_gradient_variance"]
    posterior = [f"{key}epoch,layer,active_units,kl,posterior_entropy"]
    for replica, (rate, elbo) in enumerate(zip(rates, elbos, strict=True)):
        own = f"{replica},{rate}," if key else ""
        for epoch in epochs:
            value = elbo - epochs[-1] + epoch
            metrics.append(
                f"{own}{epoch}00,{epoch},{value + 1},{value},{epoch}5"
            )
            for layer in (1, 2):
                posterior.append(f"{own}{epoch},{layer},{epoch},3.5,7.25")
        metrics.append(f"{own}9900,99,{elbo + 9},,")  # It was not evaluated.
        posterior.append(f"{own}40,1,9,9,9")  # Of a sweep that was killed.
    (out / "metrics.csv").write_text("\n".join(metrics))
    (out / "posterior.csv").write_text("\n".join(posterior))


def _cells(table):
    """Returns the cells of a table's lines, without the header."""
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in x[1:-1].split("|")] for x in lines]


def test_each_method_stands_at_its_best_learning_rate(tmp_path):
    _write(tmp_path, "a", [0.1], [-100.0])
    _write(tmp_path, "b", [0.1], [-104.0], seed=1)
    _write(tmp_path, "f", [0.4], [-101.0])  # Not known by as many seeds.
    _write(tmp_path, "c", [0.2, 0.3], [-103.0, -101.0], kl_warmup_epochs=5.0)
    _write(tmp_path, "d", [0.2], [-99.0], estimator="nvil", num_samples=3)
    _write(tmp_path, "e", [0.1], [-98.0], learning_rate_schedule="cosine")
    cells = _cells(_study.study(tmp_path))
    last = ["60", "7.00", "14.5"]
    assert [cell[1:] for cell in cells] == [
        ["nvil, K = 3", "0.2", "1", "109.00", "99.00", "98.00", *last],
        ["relax", "0.1", "2", "112.00 +- 2.83", "102.00 +- 2.83"]
        + ["101.00 +- 2.83", "60 +- 0.0", "7.00 +- 0.00", "14.5 +- 0.0"],
        ["relax, cosine", "0.1", "1", "108.00", "98.00", "97.00", *last],
        ["relax, warm-up 5", "0.3", "1", "111.00", "101.00", "100.00", *last],
    ]
    assert {cell[0] for cell in cells} == {"mnist static linear2, 30 epochs"}
    assert "study" in _tables.TABLES


def test_short_runs_are_compared_at_equal_seconds(tmp_path):
    short = {"epochs": (10, 20), "num_samples": 2}
    _write(tmp_path, "a", [0.1], [-100.0], estimator="leave_one_out", **short)
    _write(tmp_path, "b", [0.1], [-90.0], estimator="relax_k", **short)
    _write(tmp_path, "c", [0.1], [-120.0], estimator="disarm", **short)
    _write(tmp_path, "d", [0.1], [-80.0])  # That one lasts.
    rare = {"estimator": "relax_k", "control_variate_every": 5}
    _write(tmp_path, "e", [0.1], [-95.0], **rare, **short)
    (tmp_path / "benchmark_samples.csv").write_text(
        "architecture,estimator,num_samples,batch_size,control_variate_every,"
        "median_ms\n"
        "linear2,leave_one_out,2,100,1,10\n"
        "linear2,relax_k,2,100,1,16\n"
        "linear2,relax_k,2,100,5,12.5\n"
        "linear2,disarm,2,100,1,5\n"
    )
    cells = _cells(_study.study_estimators(tmp_path))
    assert [[cell[i] for i in (0, 1, 4, 5, 6)] for cell in cells] == [
        ["mnist static linear2, 20 epochs", name, *values]
        for name, *values in (
            ("disarm, K = 2", "10", "", "120.00"),  # It was done before.
            ("leave_one_out, K = 2", "20", "100.00", "100.00"),
            # 20 s are epoch 16, and 12.5.
            ("relax_k, K = 2, c learns 1 in 5", "25", "99.00", "95.00"),
            ("relax_k, K = 2", "32", "97.50", "90.00"),
        )
    ]
    assert [cell[5] for cell in _cells(_study.study(tmp_path))] == ["80.00"]
    assert "study_estimators" in _tables.TABLES


def test_methods_that_learn_now_and_then_stand_together(tmp_path):
    _write(tmp_path, "a", [0.1], [-100.0])
    _write(tmp_path, "b", [0.1], [-101.0], control_variate_every=10)
    _write(tmp_path, "c", [0.1], [-102.0], seed=1, control_variate_every=10)
    _write(tmp_path, "d", [0.1], [-90.0], estimator="arms", num_samples=3)
    _write(tmp_path, "e", [0.1], [-90.0], kl_warmup_epochs=9.0)
    _write(tmp_path, "f", [0.1], [-90.0], beta2=0.9)
    (tmp_path / "benchmark_samples.csv").write_text(
        "architecture,estimator,num_samples,batch_size,control_variate_every,"
        "median_ms\nlinear2,relax,0,100,10,1.25\n"
    )
    cells = _cells(_study.study_rare(tmp_path))
    assert [cell[1:] for cell in cells] == [
        ["relax", "1", "1", "-", "305", "100.00", "99.00"],
        ["relax", "10", "2", "1.25", "305 +- 0.0"]
        + ["101.50 +- 0.71", "100.50 +- 0.71"],
    ]
    assert "study_rare" in _tables.TABLES
    assert "| relax, beta2 = 0.9 |" in _study.study(tmp_path)


def test_without_a_benchmark_nothing_is_said_of_seconds(tmp_path):
    _write(tmp_path, "a", [0.1], [-100.0], epochs=(10, 20))
    (cell,) = _cells(_study.study_estimators(tmp_path))
    assert cell[4:7] == ["-", "", "100.00"]


def test_a_picture_of_each_cell_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    _write(tmp_path, "a", [0.1], [-100.0])
    _write(tmp_path, "b", [0.1], [-90.0], architecture="linear1")
    _write(tmp_path, "c", [0.1], [-90.0], epochs=(10, 20))
    drawn = experiments.draw_figures(tmp_path, tmp_path / "out", ["study"])
    assert [path.name for path in drawn] == [
        "study_mnist_static_linear1_30.png",
        "study_mnist_static_linear2_20.png",
        "study_mnist_static_linear2_30.png",
    ]
    for path in drawn:
        assert path.read_bytes().startswith(b"\x89PNG")


def test_what_is_no_run_is_left_out_with_a_warning(tmp_path, caplog):
    _write(tmp_path, "a", [0.1], [-100.0])
    for name, file, text in (
        ("b", "config.json", "{"),
        ("c", "metrics.csv", "step,epoch"),
        ("d", "config.json", '{"settings": {}}'),
    ):
        _write(tmp_path, name, [0.1], [-90.0])
        (tmp_path / "study" / name / file).write_text(text)
    (tmp_path / "study" / "a" / "posterior.csv").unlink()
    with caplog.at_level("WARNING"):
        (cell,) = _cells(_study.study(tmp_path))
    assert cell[5:] == ["100.00", "99.00", "-", "-", "-"]
    left_out = [x for x in caplog.messages if "is left out. Expected" in x]
    assert [x.split(" ")[0][-1] for x in left_out] == ["b", "d"]
