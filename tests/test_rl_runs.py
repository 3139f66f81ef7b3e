"""Runs of policy gradients: they learn, resume, and say what is wrong."""

import dataclasses

import numpy as np
import pytest
import test_bin

from tf_relax import experiments
from tf_relax import rl
from tf_relax.experiments import _rl
from tf_relax.experiments import _rl_benchmark
from tf_relax.experiments import _rl_environments
from tf_relax.experiments import _rl_history


def _settings(**kwargs):
    """Small, and without XLA, whose compilation takes longer than such runs."""
    small = dict(
        env="CartPole-v0", num_seeds=2, updates_per_call=10, jit_compile=False
    )
    return experiments.RLSettings(**small | kwargs)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run."""
    out = tmp_path_factory.mktemp("trained")
    settings = _settings(max_episodes=10, estimator="a2c")
    experiments.train_rl(settings, out)
    return out


@pytest.mark.parametrize("estimator", ["a2c", "relax"])
def test_cartpole_is_learned(estimator, tmp_path):
    summary = experiments.train_rl(
        _settings(
            estimator=estimator,
            num_seeds=8,
            max_episodes=300,
            jit_compile=True,
        ),
        tmp_path,
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
        {
            "env": "Pendulum-v1",
            "estimator": "lax",
            "bootstrap": True,
            "normalise_observations": True,
            "num_envs": 3,
            "steps_per_update": 70,
            "critic_steps": 3,
            "control_variate_steps": 2,
            "value_activation": "elu",
        },
        {"estimator": "relax", "num_envs": 2, "steps_per_update": 20},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_every_kind_of_run_is_finite(settings, tmp_path):
    summary = experiments.train_rl(
        _settings(max_episodes=6, updates_per_call=3, **settings), tmp_path
    )
    with np.load(tmp_path / "checkpoint.npz") as arrays:
        for name in arrays.files:
            if name not in ("episodes", "log_variance", "tf_relax_version"):
                assert np.isfinite(arrays[name]).all(), name
    rows = test_bin._rows(tmp_path / "metrics.csv")
    for seed, run in summary["runs"].items():
        own = [row for row in rows if row["seed"] == seed]
        assert len(own) == run["episodes"] >= 6
        # Of whole episodes, and of those that were still going on.
        assert run["env_steps"] >= int(own[-1]["env_steps"])


def test_a_run_begins_with_the_same_weights_whatever_is_beside_it():
    alone = rl.Perceptrons(4, (5,), 2, seeds=[3])
    beside = rl.Perceptrons(4, (5,), 2, seeds=[9, 3])
    for one, two in zip(alone.weights, beside.weights, strict=True):
        np.testing.assert_array_equal(one[0], two[1])
    first, second = np.asarray(beside.weights[0])
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("backend", ["gymnasium", "envpool"])
@pytest.mark.parametrize("steps", [0, 30], ids=["episodes", "steps"])
def test_environments_outside_tensorflow(backend, steps, tmp_path):
    pytest.importorskip(backend)
    summary = experiments.train_rl(
        _settings(
            env_backend=backend,
            max_episodes=10,
            updates_per_call=5,
            num_envs=5,
            steps_per_update=steps,
            variance_every=5,
            variance_episodes=4,
        ),
        tmp_path,
    )
    rows = test_bin._rows(tmp_path / "metrics.csv")
    assert len(rows) >= 20
    if not steps:
        assert len(rows) == 2 * 25  # Five updates of five: a whole call.
    for seed in ("0", "1"):
        own = [row for row in rows if row["seed"] == seed]
        returns = sum(float(row["return"]) for row in own)
        # A reward of 1 a step: returns are lengths.
        steps_taken = int(own[-1]["env_steps"])
        assert returns <= steps_taken
        if not steps:
            assert returns == steps_taken
        assert all(np.isfinite(float(row["log_variance"])) for row in own)
    assert summary["threshold"] == 195.0
    measured = test_bin._rows(tmp_path / "variance.csv")
    assert {row["estimator"] for row in measured} == {
        "reinforce",
        "a2c",
        "relax",
    }


@pytest.mark.parametrize(
    ("env", "package", "estimator"),
    [
        ("LunarLander-v3", "Box2D", "relax"),
        ("LunarLanderContinuous-v3", "Box2D", "lax"),
        ("InvertedPendulum-v5", "mujoco", "lax"),
    ],
)
def test_environments_of_the_paper(env, package, estimator, tmp_path):
    for name in ("gymnasium", package):
        pytest.importorskip(name)
    summary = experiments.train_rl(
        _settings(
            env=env,
            env_backend="gymnasium",
            estimator=estimator,
            num_envs=2,
            steps_per_update=200,
            bootstrap=True,
            normalise_observations=True,
            max_episodes=1,
            updates_per_call=2,
        ),
        tmp_path,
    )
    assert summary["threshold"] in (200.0, 950.0)
    rows = test_bin._rows(tmp_path / "metrics.csv")
    assert {row["seed"] for row in rows} == {"0", "1"}
    assert all(np.isfinite(float(row["return"])) for row in rows)


def test_a_missing_package_names_the_line_that_brings_it(monkeypatch):
    gymnasium = pytest.importorskip("gymnasium")

    def missing(*args, **kwargs):
        raise gymnasium.error.DependencyNotInstalled("Box2D is not installed")

    monkeypatch.setattr(gymnasium, "make_vec", missing)
    with pytest.raises(ImportError, match=r"pip install 'tf_relax\[rl\]'"):
        _rl_environments.make_gymnasium("LunarLander-v3", 1)


def test_auto_is_tensorflow_where_it_has_the_task():
    of = experiments.RLSettings
    assert of(env="Acrobot-v1").backend() == "tf"
    assert of(env="LunarLander-v3").backend() == "gymnasium"
    assert of(env="Acrobot-v1", env_backend="envpool").backend() == "envpool"


def test_solved_needs_a_full_window():
    history = _rl_history.History(2, 3)
    returns = np.array(
        [[9.0, 1.0], [9.0, 1.0], [9.0, 9.0], [1.0, 9.0], [9.0, 9.0]]
    )
    # Five updates of an episode a run, of 7 steps.
    every = np.ones([5, 2, 1, 1])
    history.append(
        rl.Progress(
            every,
            returns[:, :, None, None],
            7 * every,
            7 * every[:, :, 0],
            np.zeros([5, 2]),
        ),
        10.0,
    )
    np.testing.assert_allclose(
        history.means(1), [1.0, 1.0, 11 / 3, 19 / 3, 9.0]
    )
    assert history.solved(8.0) == [3, 5]
    assert history.solved(9.5) == [None, None]
    runs = history.summary(8.0, 100)["runs"]
    assert runs["100"]["steps_to_solve"] == 21
    assert runs["101"]["steps_to_solve"] == 35
    assert runs["101"]["seconds_to_solve"] == 10.0


def test_history_counts_episodes_in_the_order_of_their_ends():
    history = _rl_history.History(1, 2)
    ended = np.zeros([2, 1, 2, 3])  # Updates, runs, copies, steps.
    ended[0, 0, 1, 2] = ended[1, 0, 0, 0] = ended[1, 0, 1, 0] = 1.0
    returns = np.arange(12.0).reshape([2, 1, 2, 3])
    steps = np.array([[[2.0, 2.0, 2.0]], [[2.0, 1.0, 2.0]]])
    history.append(
        rl.Progress(ended, returns, returns, steps, np.zeros([2, 1])), 1.0
    )
    episodes = history.of_run(0)
    assert episodes["return"].tolist() == [5.0, 6.0, 9.0]
    assert episodes["env_steps"].tolist() == [6, 8, 8]
    assert history.steps.tolist() == [11]
    assert history.fewest_episodes() == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"env": "CartPole-v2", "env_backend": "tf"},
            "Did you mean 'CartPole-v1'.*--env_backend=gymnasium",
        ),
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
        (
            {"env_backend": "gymnasium", "env": "Blackjack-v1"},
            "Box or Discrete. Received: observations Tuple, actions Discrete",
        ),
        ({"max_episodes": 0}, "A run needs an end"),
        ({"variance_every": 3}, "must divide `updates_per_call`"),
        ({"hidden": "10,a"}, "widths >= 1.*hidden=10,a"),
        ({"activation": "rleu"}, "rleu"),
    ],
    ids=lambda x: "-".join(map(str, x.values())) if isinstance(x, dict) else "",
)
def test_wrong_settings_are_named(settings, message, tmp_path):
    if settings.get("env_backend") == "gymnasium":
        pytest.importorskip("gymnasium")
    with pytest.raises(ValueError, match=message):
        experiments.train_rl(
            _settings(**({"max_episodes": 1} | settings)), tmp_path
        )


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("something else")
    with pytest.raises(ValueError, match="must be a folder. Received: the fi"):
        experiments.train_rl(_settings(max_episodes=10), tmp_path / "run")


def test_thresholds_are_ours_gymnasiums_or_none():
    pytest.importorskip("gymnasium")
    assert _rl_environments.solved_at("CartPole-v0") == 195.0
    assert _rl_environments.solved_at("FrozenLake-v1") == 0.7
    assert _rl_environments.solved_at("Ant-v5") > 1000.0
    assert _rl_environments.solved_at("Nowhere-v0") == float("inf")
    history = _rl_history.History(1, 2)
    assert history.summary(float("inf"), 0)["threshold"] is None


@pytest.mark.parametrize("old", sorted(_rl_environments._RENAMED))
def test_old_ids_get_ids_that_gymnasium_knows(old):
    gymnasium = pytest.importorskip("gymnasium")
    assert _rl_environments._RENAMED[old] in gymnasium.registry


def test_policies_of_another_run_are_taken_and_stay(tmp_path):
    first = _settings(max_episodes=20, normalise_observations=True)
    experiments.train_rl(first, tmp_path / "first")
    second = dataclasses.replace(
        first,
        start_from=str(tmp_path / "first"),
        learning_rate=0.0,
        estimator="a2c",
    )
    experiments.train_rl(second, tmp_path / "second")
    one, two = (
        np.load(tmp_path / name / "checkpoint.npz")
        for name in ("first", "second")
    )
    learner, _ = _rl.make_player(second)
    for i in range(len(learner.policy.trainable_variables)):
        np.testing.assert_array_equal(one[f"v{i}"], two[f"v{i}"])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"hidden": "7"}, "with the same hidden. Received: '10,10' there, '7'"),
        ({"start_from": "nowhere"}, "Received: start_from=nowhere"),
    ],
)
def test_policies_that_do_not_fit_are_named(other, message, trained, tmp_path):
    settings = _settings(
        **{"max_episodes": 10, "start_from": str(trained)} | other
    )
    with pytest.raises(ValueError, match=message):
        experiments.train_rl(settings, tmp_path / "second")


def test_a_policy_is_played_and_shown(tmp_path):
    for package in ("gymnasium", "pygame", "PIL"):
        pytest.importorskip(package)
    from PIL import Image

    experiments.train_rl(_settings(max_episodes=10, seed=3), tmp_path)
    settings = experiments.PlaySettings(
        video=str(tmp_path / "play.gif"), num_episodes=2, run_seed=4
    )
    rows = experiments.play(settings, tmp_path)
    assert [row["seed"] for row in rows] == [4, 4]
    assert all(row["return"] == row["length"] >= 8 for row in rows)
    with Image.open(tmp_path / "play.gif") as video:
        assert video.n_frames == -(-rows[0]["length"] // 2)
    assert rows == experiments.play(settings, tmp_path)


def test_play_says_what_is_wrong(trained, tmp_path):
    pytest.importorskip("gymnasium")
    with pytest.raises(FileNotFoundError, match="No run at"):
        experiments.play(experiments.PlaySettings(), tmp_path)
    with pytest.raises(ValueError, match="are 0 to 1. Received: run_seed=2"):
        experiments.play(experiments.PlaySettings(run_seed=2), trained)
    with pytest.raises(ValueError, match=r"must end in .gif"):
        experiments.play(
            experiments.PlaySettings(video="a.mp4", num_episodes=1), trained
        )


@pytest.mark.parametrize("backend", ["tf", "gymnasium"])
def test_benchmark_times_the_parts(backend, tmp_path, monkeypatch):
    if backend == "gymnasium":
        pytest.importorskip("gymnasium")
    small = {"few": ({"num_envs": 2, "steps_per_update": 5}, 2)}
    monkeypatch.setattr(_rl_benchmark, "_CASES", small)
    experiments.rl_benchmark(
        experiments.RLBenchmarkSettings(
            rl_env_backend=backend, rl_estimator="a2c", rl_rounds=2
        ),
        tmp_path / "rl.csv",
    )
    (row,) = test_bin._rows(tmp_path / "rl.csv")
    assert float(row["min"]) <= float(row["steps_per_second"])
    assert float(row["steps_per_second"]) <= float(row["max"])
    assert float(row["ms_playing"]) > 0.0 < float(row["ms_learning"])
    assert bool(row["ms_stepping"]) == (backend == "gymnasium")
    assert (tmp_path / "rl.json").exists()
