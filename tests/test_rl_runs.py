"""Runs of policy gradients: they learn, resume, and say what is wrong."""

import json

import numpy as np
import pytest
import test_bin

from tf_relax import experiments
from tf_relax import rl
from tf_relax.experiments import _rl
from tf_relax.experiments import _rl_settings


def _settings(**kwargs):
    small = dict(env="CartPole-v0", num_seeds=2, updates_per_call=10)
    return experiments.RLSettings(**small | kwargs)


@pytest.mark.parametrize("estimator", ["a2c", "relax"])
def test_cartpole_is_learned(estimator, tmp_path):
    summary = experiments.train_rl(
        _settings(estimator=estimator, num_seeds=8, max_episodes=300), tmp_path
    )
    rows = test_bin._rows(tmp_path / "metrics.csv")
    assert len(rows) == 8 * 300
    start = [float(r["return"]) for r in rows if int(r["episode"]) <= 20]
    end = [run["final_mean_return"] for run in summary["runs"].values()]
    # A random policy holds the pole for 20 to 30 steps.
    assert np.mean(start) < 60.0 < 120.0 < np.mean(end)


@pytest.mark.parametrize(
    "settings",
    [
        {"env": "Pendulum-v1", "estimator": "lax", "hidden": "8"},
        {"env": "Acrobot-v1", "estimator": "relax", "objective": "weights"},
        {"env": "CartPole-v1", "estimator": "a2c", "bootstrap": True},
        {"env": "CartPole-v1", "estimator": "reinforce"},
        {"estimator": "relax", "baseline": False, "coupled": False},
        {"estimator": "relax", "objective": "regression"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_every_kind_of_run_is_finite(settings, tmp_path):
    summary = experiments.train_rl(
        _settings(max_episodes=6, updates_per_call=3, **settings), tmp_path
    )
    with np.load(tmp_path / "checkpoint.npz") as arrays:
        for name in arrays.files:
            assert np.isfinite(arrays[name]).all(), name
    assert summary["episodes"] == 6


class _Killed(Exception):
    """Stands for a process that dies."""


def _without_seconds(path):
    return [
        {name: x for name, x in row.items() if name != "seconds"}
        for row in test_bin._rows(path)
    ]


def test_resumed_run_is_bitwise_the_run_that_was_not_stopped(
    tmp_path, monkeypatch
):
    settings = _settings(max_episodes=40)
    experiments.train_rl(settings, tmp_path / "straight")
    original, calls = _rl._save, []

    def die_at_the_third(learner, history, path):
        calls.append(path)
        if len(calls) == 3:
            raise _Killed
        original(learner, history, path)

    with monkeypatch.context() as patch:
        patch.setattr(_rl, "_save", die_at_the_third)
        with pytest.raises(_Killed):
            experiments.train_rl(settings, tmp_path / "stopped")
    experiments.train_rl(settings, tmp_path / "stopped")
    assert _without_seconds(
        tmp_path / "straight" / "metrics.csv"
    ) == _without_seconds(tmp_path / "stopped" / "metrics.csv")
    files = [
        np.load(tmp_path / name / "checkpoint.npz")
        for name in ("straight", "stopped")
    ]
    for name in files[0].files:
        if name != "seconds":
            np.testing.assert_array_equal(files[0][name], files[1][name])


def test_a_run_begins_with_the_same_weights_whatever_is_beside_it():
    alone = rl.Perceptrons(4, (5,), 2, seeds=[3])
    beside = rl.Perceptrons(4, (5,), 2, seeds=[9, 3])
    for one, two in zip(alone.weights, beside.weights, strict=True):
        np.testing.assert_array_equal(one[0], two[1])
    first, second = np.asarray(beside.weights[0])
    assert not np.array_equal(first, second)


def test_gymnasium_plays_the_same_policy(tmp_path):
    pytest.importorskip("gymnasium")
    summary = experiments.train_rl(
        _settings(
            env_backend="gymnasium",
            max_episodes=10,
            updates_per_call=5,
            episodes_per_update=5,
        ),
        tmp_path,
    )
    rows = test_bin._rows(tmp_path / "metrics.csv")
    assert len(rows) == 2 * 25  # Five updates of five: a whole call.
    returns = [float(row["return"]) for row in rows]
    steps = [int(row["env_steps"]) for row in rows]
    # A reward of 1 a step: returns are lengths.
    np.testing.assert_array_equal(np.cumsum(returns[:25]), steps[:25])
    assert summary["threshold"] == 195.0


def test_solved_needs_a_full_window():
    history = _rl._History(_settings(num_seeds=2, window=3))
    history.returns = np.array(
        [[9.0, 1.0], [9.0, 1.0], [9.0, 9.0], [1.0, 9.0], [9.0, 9.0]]
    )
    np.testing.assert_allclose(
        history.means()[:, 1], [1.0, 1.0, 11 / 3, 19 / 3, 9.0]
    )
    assert history.solved(8.0) == [3, 5]
    assert history.solved(9.5) == [None, None]
    assert not history.all_solved(9.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env": "CartPole-v2"}, "Did you mean 'CartPole-v1'"),
        ({"estimator": "a3c"}, "Did you mean 'a2c'"),
        ({"estimator": "lax"}, "lax is for continuous actions.*relax"),
        (
            {"env": "Pendulum-v1", "estimator": "relax"},
            "relax is for discrete actions.*lax",
        ),
        ({"env_backend": "gymnasum"}, "Did you mean 'gymnasium'"),
        ({"objective": "weigths"}, "Did you mean 'weights'"),
        (
            {"estimator": "reinforce", "bootstrap": True},
            "`bootstrap` needs a critic",
        ),
        (
            {"env_backend": "gymnasium", "env": "LunarLander-v2"},
            "Use --env=LunarLander-v3",
        ),
        ({"env_backend": "gymnasium", "env": "Cart"}, "env=Cart"),
    ],
    ids=lambda x: "-".join(map(str, x.values())) if isinstance(x, dict) else "",
)
def test_wrong_settings_are_named(settings, message, tmp_path):
    if settings.get("env_backend") == "gymnasium":
        pytest.importorskip("gymnasium")
    with pytest.raises(ValueError, match=message):
        experiments.train_rl(_settings(max_episodes=1, **settings), tmp_path)


def test_a_folder_of_another_run_is_refused(tmp_path):
    experiments.train_rl(_settings(max_episodes=10), tmp_path)
    with pytest.raises(ValueError, match=r"learning_rate 0.01, now 0.5"):
        experiments.train_rl(
            _settings(max_episodes=10, learning_rate=0.5), tmp_path
        )


def test_train_rl_prints_its_summary(tmp_path):
    result = test_bin._run(
        "train_rl.py",
        "--env=CartPole-v0",
        "--max_episodes=10",
        "--updates_per_call=10",
        f"--out={tmp_path}",
    )
    assert result.returncode == 0, result.stderr
    assert "episodes_to_solve" in result.stdout
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["runs"]["0"]["solved"] is False


@pytest.mark.parametrize("old", sorted(_rl_settings._RENAMED))
def test_old_ids_get_ids_that_gymnasium_knows(old):
    gymnasium = pytest.importorskip("gymnasium")
    assert _rl_settings._RENAMED[old] in gymnasium.registry
