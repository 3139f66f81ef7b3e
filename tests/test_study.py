"""The table and pictures of runs with and without a KL warm-up."""

import json

import pytest

from tf_relax import experiments
from tf_relax.experiments import _study
from tf_relax.experiments import _tables


def _write(results, name, rates, elbos, **settings):
    """Writes a run, or a sweep over rates, of two layers and three epochs."""
    out = results / "study" / name
    out.mkdir(parents=True)
    config = {
        "dataset": "mnist",
        "binarization": "static",
        "architecture": "linear2",
        "estimator": "relax",
        "num_samples": 0,
        "kl_warmup_epochs": 0.0,
        "learning_rate": rates[0],
        "seed": 0,
    }
    if len(rates) > 1:
        config["learning_rate"] = ",".join(map(str, rates))
    (out / "config.json").write_text(
        json.dumps({"settings": config | settings})
    )
    key = "replica,learning_rate," if len(rates) > 1 else ""
    metrics = [f"{key}step,epoch,elbo,val_elbo"]
    posterior = [f"{key}epoch,layer,active_units,kl,posterior_entropy"]
    for replica, (rate, elbo) in enumerate(zip(rates, elbos, strict=True)):
        own = f"{replica},{rate}," if key else ""
        for epoch in (10, 20, 30):
            metrics.append(f"{own}{epoch},{epoch},{elbo + 1},{elbo}")
            for layer in (1, 2):
                posterior.append(f"{own}{epoch},{layer},{epoch},3.5,7.25")
        metrics.append(f"{own}31,31,{elbo + 9},")  # It was not evaluated.
        posterior.append(f"{own}40,1,9,9,9")  # Of a sweep that was killed.
    (out / "metrics.csv").write_text("\n".join(metrics))
    (out / "posterior.csv").write_text("\n".join(posterior))


def test_each_method_stands_at_its_best_learning_rate(tmp_path):
    _write(tmp_path, "a", [0.1], [-100.0])
    _write(tmp_path, "b", [0.1], [-104.0], seed=1)
    _write(tmp_path, "c", [0.2, 0.3], [-103.0, -101.0], kl_warmup_epochs=5.0)
    _write(tmp_path, "d", [0.2], [-99.0], estimator="nvil", num_samples=3)
    lines = _study.study(tmp_path).splitlines()[2:]
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert [cell[1:] for cell in cells] == [
        ["nvil, K = 3", "0.2", "1", "30", *["99.00"] * 2, "98.00"]
        + ["60", "7.00", "14.5"],
        ["relax", "0.1", "2", "30", *["102.00 +- 2.83"] * 2]
        + ["101.00 +- 2.83", "60 +- 0.0", "7.00 +- 0.00", "14.5 +- 0.0"],
        ["relax, warm-up 5", "0.3", "1", "30", *["101.00"] * 2, "100.00"]
        + ["60", "7.00", "14.5"],
    ]
    assert {cell[0] for cell in cells} == {"mnist static linear2"}
    assert "study" in _tables.TABLES


def test_a_picture_of_each_cell_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    _write(tmp_path, "a", [0.1], [-100.0])
    _write(tmp_path, "b", [0.1], [-90.0], architecture="linear1")
    drawn = experiments.draw_figures(tmp_path, tmp_path / "out", ["study"])
    assert [path.name for path in drawn] == [
        "study_mnist_static_linear1.png",
        "study_mnist_static_linear2.png",
    ]
    for path in drawn:
        assert path.read_bytes().startswith(b"\x89PNG")
