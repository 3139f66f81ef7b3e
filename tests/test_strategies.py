"""Many devices and processes make the steps of one, and the same files."""

import csv
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_relax import datasets
from tf_relax import experiments
from tf_relax import relaxations
from tf_relax.experiments import _devices
from tf_relax.models import _checks
from tf_relax.models import DiscreteVAE

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_PIXELS = 36


def _images(num, pixels=_PIXELS):
    rng = np.random.default_rng(0)
    return (rng.random((num, pixels)) < 0.3).astype(np.uint8)


def _mirrored():
    """The two logical devices of `conftest.py`."""
    return _devices.make_devices("mirrored").strategy


def _compiled(architecture, estimator, **kwargs):
    vae = DiscreteVAE(
        architecture, 5, estimator, 0.3, num_samples=2, image_shape=(_PIXELS,)
    )
    # A large epsilon: that of Keras, 1e-7, would blow up the rounding of a
    # derivative near zero.
    vae.compile(
        keras.optimizers.Adam(0.02, epsilon=1e-3),
        keras.optimizers.Adam(0.01, epsilon=1e-3),
        **kwargs,
    )
    return vae


def _on_one_and_two(architecture, estimator, train, **options):
    """Returns models that were trained alike, and what `train` returned."""
    one = _compiled(architecture, estimator, **options)
    with _mirrored().scope():
        two = _compiled(architecture, estimator, **options)
    assert two.strategy.num_replicas_in_sync == 2
    return (one, train(one)), (two, train(two))


def _assert_same(one, two):
    for name in ("weights", "optimizer", "control_variate_optimizer"):
        first, second = (getattr(vae, name) for vae in (one, two))
        first = getattr(first, "variables", first)
        second = getattr(second, "variables", second)
        for a, b in zip(first, second, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-12)


def _assert_same_metrics(found, both):
    assert set(found) == set(both)
    for name, value in found.items():  # Keras' means are in float32.
        np.testing.assert_allclose(both[name], value, rtol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "estimator"),
    [("linear1", "relax"), ("linear2", "leave_one_out")],
)
def test_two_devices_update_as_one(architecture, estimator, float64):
    images = _images(21)  # In batches of 7: 4 of one device, 3 of the other.

    def train(vae):
        vae.fit_control_variates(images, 6, 2)
        fit = dict(epochs=2, shuffle=False, verbose=0)
        return vae.fit(images, batch_size=7, **fit).history

    (one, found), (two, both) = _on_one_and_two(
        architecture, estimator, train, jit_compile=False
    )
    _assert_same(one, two)
    _assert_same_metrics(found, both)


def test_two_devices_take_several_steps_in_a_graph(float64):
    images = _images(28)

    def train(vae):
        fit = dict(batch_size=14, epochs=2, shuffle=False, verbose=0)
        history = vae.fit(
            images, validation_data=(images,), validation_batch_size=15, **fit
        ).history
        return {name: values[-1] for name, values in history.items()}

    # What NVIL remembers is a mean over all images, whoever has them.
    (one, found), (two, both) = _on_one_and_two(
        "linear1",
        "nvil",
        train,
        steps_per_call=2,
        control_variate_every=2,
        kl_warmup_steps=3,
        bound_samples=2,
        jit_compile=False,
    )
    _assert_same(one, two)
    assert {"elbo", "val_gradient_variance", "val_bound"} < set(found)
    _assert_same_metrics(found, both)
    with _mirrored().scope():
        predicted = two.predict(images, verbose=0)
    np.testing.assert_allclose(predicted, one.predict(images, verbose=0))


def test_two_devices_update_as_one_by_xla(float64):
    images = _images(32)
    (one, _), (two, _) = _on_one_and_two(
        "linear1",
        "leave_one_out",
        lambda vae: vae.fit(images, batch_size=16, shuffle=False, verbose=0),
        steps_per_call=2,
    )
    _assert_same(one, two)


def test_parts_of_a_batch_have_the_noise_of_the_batch():
    for example in ([4], [4, 3]):  # Bits, and one-hot units.
        draw = lambda rows, example=example: relaxations.open_uniform(
            (3, 5), tf.constant([2, rows, *example]), tf.float32
        )
        whole = draw(5)
        for start, rows in ((0, 3), (3, 2)):
            with relaxations.rows_of_batch(start, 5, len(example)):
                part = draw(rows)
            np.testing.assert_array_equal(part, whole[:, start : start + rows])
        np.testing.assert_array_equal(draw(5), whole)


def test_a_model_is_compiled_where_it_was_made():
    with _mirrored().scope():
        vae = DiscreteVAE("linear1", 5, image_shape=(_PIXELS,))
    with pytest.raises(ValueError, match="MirroredStrategy, compiled in no s"):
        vae.compile()


def test_processes_must_not_shuffle():
    _checks.check_order(1, True)
    with pytest.raises(ValueError, match="All 2 processes.*shuffle=True"):
        _checks.check_order(2, True)


_CLUSTER = {"worker": ["localhost:1", "localhost:2"]}


@pytest.mark.parametrize(
    "config",
    [
        "",
        "no JSON",
        json.dumps({"cluster": _CLUSTER}),
        json.dumps(
            {"cluster": _CLUSTER, "task": {"type": "chief", "index": 0}}
        ),
        json.dumps(
            {"cluster": _CLUSTER, "task": {"type": "worker", "index": 2}}
        ),
    ],
)
def test_processes_need_a_cluster_with_their_task(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match="TF_CONFIG='{.*\n.*Received"):
        _devices.make_devices("multiworker")


def test_the_chief_is_named_or_the_first_worker():
    def is_chief(cluster, kind, index):
        return _devices._is_chief(
            {"cluster": cluster, "task": {"type": kind, "index": index}}
        )

    assert is_chief(_CLUSTER, "worker", 0)
    assert not is_chief(_CLUSTER, "worker", 1)
    with_chief = _CLUSTER | {"chief": ["localhost:0"]}
    assert is_chief(with_chief, "chief", 0)
    assert not is_chief(with_chief, "worker", 0)


_SETTINGS = dict(
    architecture="linear1",
    num_latents=5,
    batch_size=8,
    steps_per_call=2,
    bound_samples=0,
    jit_compile=False,
)


def _few_images():
    """32 images to train on: epochs of four steps."""
    images = _images(160, 784)
    return datasets.ImageDataset(
        "few", images[:32], images[32:96], images[96:], False
    )


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda *args, **kwargs: _few_images())


def _train(out, strategy="none", **settings):
    return experiments.train_vae(
        experiments.VAESettings(**_SETTINGS | settings), out, strategy
    )


def _rows(out):
    with open(out / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {name: x for name, x in row.items() if name != "seconds"}
        for row in rows
    ]


def _assert_close(rows, others):
    # float32: a bit of b that the rounding of its logit turns over moves an
    # ELBO of 500 nats by 1e-4 of it.
    for row, other in zip(rows, others, strict=True):
        for name in ("step", "epoch"):
            assert row[name] == other[name]
        for name in ("elbo", "val_elbo"):
            np.testing.assert_allclose(
                float(row[name]), float(other[name]), rtol=2e-3
            )


def test_batches_must_divide_among_the_devices(tmp_path):
    with pytest.raises(ValueError, match="batch_size=9, 2 replicas"):
        _train(tmp_path, "mirrored", batch_size=9)


def test_a_run_may_change_its_devices(tmp_path):
    own = dict(estimator="leave_one_out", variance_of="leave_one_out")
    _train(tmp_path, "mirrored", steps=4, **own)
    (before,) = _rows(tmp_path)
    assert _train(tmp_path, steps=8, **own)["step"] == 8
    first, second = _rows(tmp_path)
    assert first == before
    assert (second["epoch"], second["step"]) == ("2", "8")
    variances = (tmp_path / "variance.csv").read_text()
    assert len(variances.splitlines()) == 1 + 2


# The binary, on few images.
_TRAIN_FEW = f"""
import runpy
from tf_relax import datasets
import test_strategies

datasets.load = lambda *args, **kwargs: test_strategies._few_images()
runpy.run_path({str(_ROOT / "bin" / "train_vae.py")!r}, run_name="__main__")
"""


def _processes(out, steps):
    """Starts two workers on free ports; worker 0 has a pipe."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    cluster = {"worker": [f"localhost:{s.getsockname()[1]}" for s in sockets]}
    for s in sockets:
        s.close()
    settings = _SETTINGS | dict(out=out, steps=steps, strategy="multiworker")
    command = [sys.executable, "-c", _TRAIN_FEW] + [
        f"--{name}={str(x).lower() if isinstance(x, bool) else x}"
        for name, x in settings.items()
    ]
    return [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE if index == 0 else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": f"{_ROOT}:{_ROOT / 'tests'}",
                "TF_CONFIG": json.dumps(
                    {
                        "cluster": cluster,
                        "task": {"type": "worker", "index": index},
                    }
                ),
            },
        )
        for index in range(2)
    ]


def test_processes_go_on_after_one_was_killed(tmp_path):
    out = tmp_path / "out"
    chief, worker = _processes(out, steps=10**6)
    checkpoints = out / "checkpoints"
    for _ in chief.stdout:  # The progress bar, until three epochs are over.
        if (checkpoints / "epoch_00003.keras").exists():
            break
    worker.kill()
    output = chief.communicate()[0]
    assert (chief.returncode, worker.wait()) == (1, -signal.SIGKILL), output
    assert "the same commands resume the run" in output
    # An epoch is made again, to see that it comes out the same.
    *_, newest = sorted(checkpoints.glob("epoch_*.keras"))
    newest.unlink()
    before = _rows(out)
    steps = 4 * (len(before) + 1)
    chief, worker = _processes(out, steps)
    output = chief.communicate()[0]
    assert (chief.returncode, worker.wait()) == (0, 0), output
    rows = _rows(out)
    assert rows[: len(before)] == before
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))
    assert [int(row["step"]) for row in rows] == list(range(4, steps + 1, 4))
    assert json.loads((out / "summary.json").read_text())["step"] == steps
    _train(tmp_path / "one", steps=4)
    _assert_close(rows[:1], _rows(tmp_path / "one"))
