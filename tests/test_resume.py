"""Runs that are stopped at any moment: nothing is lost, nothing damaged."""

import dataclasses
import errno
import json
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
import test_bin

from tf_relax import _output
from tf_relax import datasets
from tf_relax import experiments
from tf_relax import models
from tf_relax import rl
from tf_relax.experiments import _callbacks
from tf_relax.experiments import _checkpoints
from tf_relax.experiments import _plots
from tf_relax.experiments import _vae
from tf_relax.experiments._settings import check_same

pytestmark = pytest.mark.filterwarnings(
    "ignore:Even though the `tf.config.experimental_run_functions_eagerly"
)

_PIXELS = 16
_VAE = dict(
    architecture="linear1",
    num_latents=3,
    estimator="leave_one_out",
    batch_size=4,
    steps_per_call=2,
    steps=12,  # Three epochs of two calls.
    bound_samples=0,
    posterior=True,
)
_RL = dict(
    env="LinearQuadratic-v0",
    estimator="lax",
    hidden="3",
    updates_per_call=1,
)


def _images(num, seed):
    rng = np.random.default_rng(seed)
    return (rng.random((num, _PIXELS)) < 0.3).astype(np.uint8)


@pytest.fixture(autouse=True, scope="module")
def _small():
    """Runs are small, and eager: graph mode may add in any order."""
    data = datasets.ImageDataset(
        "tiny", _images(16, 1), _images(8, 2), _images(8, 3), False
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load", lambda *args, **kwargs: data)
        patch.setattr(_plots, "draw_images", lambda *args: None)
        patch.setattr(_vae, "has_tensorboard", lambda: False)
        tf.config.run_functions_eagerly(True)
        yield
        tf.config.run_functions_eagerly(False)


def _vae_run(out, **settings):
    settings = experiments.VAESettings(**_VAE | settings)
    return experiments.train_vae(settings, out)


def _sweep_run(out, **settings):
    settings = _VAE | {"learning_rate": "0.01,0.02"} | settings
    settings = experiments.SweepSettings(**settings, jit_compile=False)
    # `tf.vectorized_map` is traced at each eager call.
    tf.config.run_functions_eagerly(False)
    try:
        return experiments.train_sweep(settings, out)
    finally:
        tf.config.run_functions_eagerly(True)


def _episodes_run(out, **settings):
    settings = _RL | {"max_episodes": 3} | settings
    return experiments.train_rl(experiments.RLSettings(**settings), out)


def _steps_run(out):
    return _episodes_run(
        out,
        max_episodes=0,
        max_env_steps=36,
        num_envs=2,
        steps_per_update=6,
        normalise_observations=True,
        variance_every=1,
        variance_episodes=2,
    )


def _gymnasium_run(out):
    pytest.importorskip("gymnasium")
    return _episodes_run(
        out, env="CartPole-v1", env_backend="gymnasium", estimator="a2c"
    )


def _toy_run(out, **settings):
    settings = {"steps": 20, "estimator": "reinforce"} | settings
    return experiments.run_toy(experiments.ToySettings(**settings), out)


def _checkpoint(out):
    """Returns the arrays of the newest checkpoint, but for seconds."""
    saved = sorted(out.glob("checkpoints/epoch_*"))
    path = saved[-1] if saved else out / "checkpoint.npz"
    if path.suffix == ".keras":
        model = keras.models.load_model(path)
        both = model.optimizer, model.control_variate_optimizer
        slots = [v for optimizer in both for v in optimizer.variables]
        return [v.numpy() for v in [*model.weights, *slots]]
    with np.load(path) as arrays:
        found = {k: v for k, v in arrays.items() if k != "seconds"}
    if "episodes" in found:
        found["episodes"]["seconds"] = 0.0
    return list(found.values())


def _assert_same_run(one, two):
    files = [
        sorted(
            path.relative_to(out)
            for path in out.rglob("*")
            if "events" not in path.parts and "before" not in path.name
        )
        for out in (one, two)
    ]
    assert files[0] == files[1]  # Drafts are gone, too.
    for a, b in zip(_checkpoint(one), _checkpoint(two), strict=True):
        assert a.tobytes() == b.tobytes()
    for name in ("metrics.csv", "variance.csv", "posterior.csv"):
        if (one / name).exists():
            assert test_bin._without_seconds(
                one / name
            ) == test_bin._without_seconds(two / name)


class _Killed(BaseException):
    """Stands for a process that dies, or a machine without power."""


class _Deaths:
    """Kills at the n-th look at the disk, of a file, a name or a folder."""

    def __init__(self, patch, at):
        self.left = at
        self.dead = False
        sync, move, unlink = _output._sync, os.replace, pathlib.Path.unlink

        def dying_sync(path):
            if self._now() and path.is_file():
                os.truncate(path, path.stat().st_size // 2)
            self._die()
            sync(path)

        def dying_move(*args):
            self._now()
            self._die()
            move(*args)

        def no_unlink(path, missing_ok=False):
            if not self.dead:
                unlink(path, missing_ok)

        patch.setattr(_output, "_sync", dying_sync)
        patch.setattr(os, "replace", dying_move)
        patch.setattr(pathlib.Path, "unlink", no_unlink)

    def _now(self):
        self.left -= 1
        self.dead = self.dead or self.left == 0
        return self.dead

    def _die(self):
        if self.dead:
            raise _Killed


def _interrupt(patch, where, name, at):
    """Raises what Ctrl-C raises in the n-th call of a method."""
    method, calls = getattr(where, name), []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        return method(*args, **kwargs)

    patch.setattr(where, name, interrupted)


# A write looks three times, so that four steps further on it is another
# moment; a run begins with two writes, and has two an epoch.
@pytest.mark.parametrize(
    ("run", "part", "deaths"),
    [
        (
            _vae_run,
            (_callbacks.StopAtStep, "on_train_batch_end"),
            (4, 12, 20),
        ),
        (_sweep_run, (models.Replicas, "train"), (10,)),
        (_episodes_run, (rl.TensorFlowPlayer, "updates"), (11,)),
        (_steps_run, (rl.TensorFlowPlayer, "updates"), (13,)),
        (_gymnasium_run, (rl.VectorPlayer, "updates"), (10,)),
    ],
    ids=["vae", "sweep", "episodes", "steps", "gymnasium"],
)
def test_a_run_that_dies_again_and_again_ends_as_one_that_did_not(
    run, part, deaths, tmp_path
):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    run(straight)
    with pytest.MonkeyPatch.context() as patch:
        _interrupt(patch, *part, 2)
        with pytest.raises(KeyboardInterrupt):
            run(killed)
    for at in deaths:
        with pytest.MonkeyPatch.context() as patch:
            _Deaths(patch, at)
            with pytest.raises(_Killed):
                run(killed)
    run(killed)
    _assert_same_run(straight, killed)


def _write(path, text, before=None):
    _output.replace(path, lambda draft: draft.write_text(text), before=before)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_write_that_dies_leaves_the_old_file_or_the_new_one(at, tmp_path):
    path = tmp_path / "file.txt"
    _write(path, "old")
    with pytest.MonkeyPatch.context() as patch:
        _Deaths(patch, at)
        with pytest.raises(_Killed):
            _write(path, "new, and longer")
    assert path.read_text() == ("new, and longer" if at == 3 else "old")
    assert (tmp_path / ".file.draft.txt").exists() == (at < 3)
    _output.remove_drafts(tmp_path)
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_of_two_checkpoints_one_is_always_whole(at, tmp_path):
    paths = [tmp_path / "new.npz", tmp_path / "before.npz"]
    variable = tf.Variable(0.0)
    for _ in range(2):
        variable.assign_add(1.0)
        _checkpoints.save_arrays(paths[0], [variable], before=paths[1])
    with pytest.MonkeyPatch.context() as patch:
        _Deaths(patch, at)
        with pytest.raises(_Killed):
            _checkpoints.save_arrays(paths[0], [variable], before=paths[1])
    path = _checkpoints.newest(paths)
    _checkpoints.restore_arrays(path, [variable])
    assert float(variable) == 2.0


def test_the_disk_sees_a_file_before_its_name_and_then_the_name(tmp_path):
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_output, "_sync", lambda path: seen.append(path.name))
        move = os.replace
        patch.setattr(
            os, "replace", lambda *a: (seen.append("replace"), move(*a))
        )
        _write(tmp_path / "folder" / "file.txt", "text")
    # Of the new folder's name, too.
    assert seen == [tmp_path.name, ".file.draft.txt", "replace", "folder"]


def test_a_full_disk_is_one_message_and_damages_nothing(tmp_path):
    _vae_run(tmp_path, steps=4)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def full(path):
        path.write_bytes(b"the first half")
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("metrics.csv", "checkpoints/epoch_00001.keras"):
        with pytest.raises(OSError, match="No space is left to write .*Make r"):
            _output.replace(tmp_path / name, full)
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda old: old[:1000],
        lambda old: b"",
        lambda old: old[:500] + bytes([old[500] ^ 1]) + old[501:],
    ],
    ids=["cut", "empty", "bit"],
)
def test_damage_of_any_kind_is_found(damage, tmp_path, caplog):
    paths = [tmp_path / "new.npz", tmp_path / "before.npz"]
    for path in paths:
        _checkpoints.save_arrays(path, [tf.zeros([1000])])
    paths[0].write_bytes(damage(paths[0].read_bytes()))
    with caplog.at_level("WARNING"):
        assert _checkpoints.newest(paths) == paths[1]
    assert "new.npz is damaged" in caplog.text
    assert "taking the one before" in caplog.text
    paths[1].write_bytes(b"")
    with pytest.raises(ValueError, match="No whole checkpoint is left"):
        _checkpoints.newest(paths)


def test_checkpoints_of_another_version_or_run_are_errors(
    tmp_path, monkeypatch
):
    path = tmp_path / "checkpoint.npz"
    _checkpoints.save_arrays(path, [tf.zeros([2])], {"updates": np.ones(())})
    with pytest.raises(ValueError, match=r"without v0 \(3,\), v1 \(4,\)"):
        variables = [tf.Variable(tf.ones([n])) for n in (3, 4)]
        _checkpoints.restore_arrays(path, variables)
    np.testing.assert_array_equal(variables[0], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="without steps"):
        _checkpoints.restore_arrays(path, [], ["updates", "steps"])
    monkeypatch.setattr(_checkpoints, "__version__", "0.0.7")
    _checkpoints.save_arrays(path, [])
    with pytest.raises(ValueError, match=r"Received: one of tf_relax 0\.0\.7"):
        _checkpoints.restore_arrays(path, [])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished VAE run, for tests that copy it."""
    out = tmp_path_factory.mktemp("trained")
    _vae_run(out)
    return out


def test_a_damaged_checkpoint_is_skipped_and_its_epoch_made_again(
    trained, tmp_path
):
    out = shutil.copytree(trained, tmp_path / "out")
    newest = out / "checkpoints" / "epoch_00003.keras"
    newest.write_bytes(newest.read_bytes()[:1000])
    _vae_run(out)
    _assert_same_run(trained, out)


def test_a_finished_run_is_not_trained_again(trained, tmp_path):
    out = shutil.copytree(trained, tmp_path / "out")
    before = (out / "metrics.csv").read_text()
    _vae_run(out)
    assert (out / "metrics.csv").read_text() == before


_RUNS = {
    "vae": _vae_run,
    "sweep": _sweep_run,
    "rl": _episodes_run,
    "toy": _toy_run,
}


@pytest.mark.parametrize("there", _RUNS)
@pytest.mark.parametrize("asked", _RUNS)
def test_a_folder_of_another_run_is_left_alone(asked, there, tmp_path):
    kinds = {
        "vae": experiments.VAESettings(**_VAE),
        "sweep": experiments.SweepSettings(**_VAE).written_alike(),
        "rl": experiments.RLSettings(**_RL),
        "toy": experiments.ToySettings(),
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"settings": vars(kinds[there])}))
    (tmp_path / "metrics.csv").touch()
    other = {"seed": "7" if asked == "sweep" else 7}
    message = "other settings: .*, now |(sweep|run) or nothing|another program"
    with pytest.raises(ValueError, match=message):
        _RUNS[asked](tmp_path, **other)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "metrics.csv"]
    path.write_text('{"settings": {"se')
    with pytest.raises(ValueError, match=r"config.json must be JSON. Receiv"):
        _RUNS[asked](tmp_path, **other)


@pytest.mark.parametrize("asked", _RUNS)
def test_files_of_a_run_of_unknown_settings_are_left_alone(asked, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("mine")
    with pytest.raises(ValueError, match="metrics or checkpoints without it"):
        _RUNS[asked](tmp_path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_that_is_not_finite_names_the_step_and_the_tensor(tmp_path):
    message = (
        r"Not finite in step 2: the logits of q\(b \| x\)\. Likely cause: a "
        r"learning rate that is too high\. Received: learning_rate=3e\+38"
    )
    with pytest.raises(FloatingPointError, match=message):
        _vae_run(tmp_path, learning_rate=3e38, control_variate_every=2)
    assert not (tmp_path / "metrics.csv").exists()
    _vae_run(tmp_path)  # There was nothing to lose.


def test_the_last_good_checkpoint_stays(trained, tmp_path):
    out = shutil.copytree(trained, tmp_path / "out")
    path = out / "checkpoints" / "epoch_00003.keras"
    model = keras.models.load_model(path)
    model.decoders[0].weights[0].assign(np.full([3, _PIXELS], 3e38, "float32"))
    model.save(path)
    before, rows = path.read_bytes(), (out / "metrics.csv").read_text()
    with pytest.raises(FloatingPointError, match="in step 13: the ELBO"):
        _vae_run(out, steps=20)
    assert path.read_bytes() == before
    assert (out / "metrics.csv").read_text() == rows


def test_a_policy_that_is_not_finite_or_damaged(tmp_path):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    _episodes_run(straight)
    shutil.copytree(straight, broken)
    path = broken / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:1000])
    _episodes_run(broken)
    _assert_same_run(straight, broken)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["v0"] = np.full_like(arrays["v0"], np.nan)
    np.savez(path, **arrays)
    before = path.read_bytes()
    message = "is no longer finite after 4 updates.*Lower the learning rates"
    with pytest.raises(FloatingPointError, match=message):
        _episodes_run(broken, max_episodes=4)
    assert path.read_bytes() == before


def test_a_run_of_an_earlier_version_had_the_defaults(tmp_path):
    path, settings = tmp_path / "config.json", experiments.VAESettings()
    old = {k: v for k, v in vars(settings).items() if k != "matmul_precision"}
    path.write_text(json.dumps({"settings": old}))
    (tmp_path / "metrics.csv").touch()
    check_same(settings, path, may_differ=())
    with pytest.raises(ValueError, match="'tensorfloat32', now 'bfloat16'"):
        check_same(
            dataclasses.replace(settings, matmul_precision="bfloat16"),
            path,
            may_differ=(),
        )


def test_environments_that_begin_anew_are_said(tmp_path, caplog):
    pytest.importorskip("gymnasium")
    settings = dict(
        env="CartPole-v1",
        env_backend="gymnasium",
        estimator="reinforce",
        steps_per_update=20,
    )
    for episodes in (1, 4):
        with caplog.at_level("WARNING"):
            _episodes_run(tmp_path, max_episodes=episodes, **settings)
        said = "The environments begin new episodes" in caplog.text
        assert said == (episodes == 4)


def test_a_control_variate_that_is_not_finite_is_named(tmp_path):
    message = "control variate's .*Likely cause: the control variate"
    with pytest.raises(FloatingPointError, match=message):
        _vae_run(
            tmp_path,
            estimator="rebar",
            control_variate_learning_rate_factor=1e38,
        )
    assert not (tmp_path / "metrics.csv").exists()
    assert not (tmp_path / "checkpoints").exists()


def test_a_replica_that_is_not_finite_does_not_stop_the_others(
    tmp_path, caplog
):
    with caplog.at_level("WARNING"):
        summary = _sweep_run(tmp_path, learning_rate="0.01,1e38", steps=8)
    assert "'learning_rate': 1e+38" in caplog.text
    assert "not finite from step 1 on" in caplog.text
    assert caplog.text.count("The others go on") == 1
    assert summary["best"]["replica"] == 0
    assert summary["replicas"][1]["valid_elbo"] is None
    caplog.clear()
    with caplog.at_level("WARNING"):
        _sweep_run(tmp_path, learning_rate="0.01,1e38", steps=12)
    assert caplog.text.count("was not finite when it was saved") == 1
    assert "not finite from step" not in caplog.text
    with pytest.raises(FloatingPointError, match="No replica is left"):
        _sweep_run(tmp_path / "all", learning_rate="1e38,2e38")
    assert not (tmp_path / "all" / "checkpoints").exists()
