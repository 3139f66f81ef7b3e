"""`.keras` files and SavedModels: all is kept, and what is not is an error."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import test_models

import tf_relax as tfr
from tf_relax import models
from tf_relax.experiments._files import load_vae


@pytest.mark.parametrize("architecture", models.architectures())
def test_every_architecture_is_saved_with_its_optimizers(
    architecture, tmp_path
):
    images = test_models._images(16)
    vae = test_models._vae(
        "rebar", architecture=architecture, num_latents=2, run_eagerly=True
    )
    test_models._fit(vae, images)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    test_models._assert_same_weights(vae, loaded)
    for model in (vae, loaded):
        test_models._fit(model, images)
    assert loaded.step == 2
    test_models._assert_same_weights(vae, loaded)


def test_a_replica_is_saved_as_a_model_with_its_seed(tmp_path):
    alone = [test_models._vae(seed=seed, compiled=False) for seed in (3, 4)]
    adams = [keras.optimizers.Adam(rate) for rate in (0.1, 0.2)]
    replicas = models.Replicas(alone, adams, jit_compile=False)
    for stacked in replicas.variables:
        if "float" in str(stacked.dtype):
            stacked.assign(stacked + 1.0)
    model = test_models._vae(seed=4, compiled=False)
    replicas.copy_to(model, 1)
    model.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    assert loaded.seed == 4
    for a, b in zip(alone[1].weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(a + 1.0, b)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "vae.keras"
    test_models._vae().save(path)
    return path


def _changed(path, name, change):
    """Writes a copy of a `.keras` file with one part changed; returns it."""
    copy = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for part in old.namelist():
            content = old.read(part)
            new.writestr(part, change(content) if part == name else content)
    return copy


def _of_version(version):
    def change(content):
        config = json.loads(content)
        assert config["config"]["tf_relax_version"] == tfr.__version__
        config["config"]["tf_relax_version"] = version
        return json.dumps(config).encode()

    return change


def test_a_file_of_another_version_is_an_error(saved):
    path = _changed(saved, "config.json", _of_version("0.0.3"))
    with pytest.raises(ValueError, match=r"Received: one of tf_relax 0\.0\.3"):
        keras.models.load_model(path)
    series = tfr.__version__.rsplit(".", 1)[0]
    same = _changed(saved, "config.json", _of_version(f"{series}.99"))
    keras.models.load_model(same)


def _without(group, key=None):
    def change(content):
        file = io.BytesIO(content)
        with h5py.File(file, "r+") as weights:
            del weights[f"{group}/vars/{key}" if key else group]
        return file.getvalue()

    return change


@pytest.mark.parametrize(
    ("group", "key", "message"),
    [
        ("optimizer", None, "state of the optimizer.*lacks"),
        ("control_variate_optimizer", None, "state of the optimizer.*lacks"),
        ("optimizer", "3", "lacks 1 of them"),
        ("encoders", None, "could not be loaded"),
        ("estimator_layers", None, "could not be loaded"),
    ],
    ids=["optimizer", "second", "slot", "encoder", "control_variate"],
)
def test_missing_state_is_an_error(group, key, message, saved):
    path = _changed(saved, "model.weights.h5", _without(group, key))
    with pytest.raises(ValueError, match=message):
        keras.models.load_model(path)


def test_a_new_optimizer_is_had_by_asking(saved):
    path = _changed(saved, "model.weights.h5", _without("optimizer"))
    assert not keras.models.load_model(path, compile=False).compiled


def test_encoder_and_decoder_are_exported(tmp_path):
    vae = test_models._vae()
    images = test_models._images(3)
    inputs = np.float32(images) - vae.mean.numpy()
    bits = np.float32(images[:, :5])
    for name, network, x, expected in (
        ("encoder", vae.encoders[0], inputs, vae.posterior(images).logits),
        ("decoder", vae.decoders[0], 2 * bits - 1, None),
    ):
        network.export(tmp_path / name, verbose=False)
        loaded = tf.saved_model.load(str(tmp_path / name))
        expected = network(x) if expected is None else expected
        np.testing.assert_allclose(loaded.serve(x), expected, rtol=1e-6)


def test_a_file_with_damaged_weights_is_an_error_of_one_line(saved):
    path = _changed(
        saved,
        "model.weights.h5",
        lambda x: x[: len(x) // 2] + bytes(len(x) - len(x) // 2),
    )
    with pytest.raises(ValueError, match="cannot be loaded as a .keras file"):
        load_vae(path)
