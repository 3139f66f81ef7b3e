"""Environment steps a second of policy gradients, updates included."""

from collections.abc import Callable
import dataclasses
import pathlib
import time
from typing import Any

from absl import logging
import numpy as np
import tensorflow as tf

from tf_relax import rl
from tf_relax.experiments import _files
from tf_relax.experiments._progress import first_call
from tf_relax.experiments._rl_environments import maker
from tf_relax.experiments._rl_settings import BACKENDS
from tf_relax.experiments._rl_settings import ESTIMATORS
from tf_relax.experiments._rl_settings import make_player
from tf_relax.experiments._rl_settings import RLSettings
from tf_relax.experiments._settings import setting

# Name -> settings that differ, and updates of one timing.
_CASES: dict[str, tuple[dict[str, Any], int]] = {
    "64 seeds, an episode each": ({"num_seeds": 64}, 10),
    "64 environments, 64 steps": (
        {"num_envs": 64, "steps_per_update": 64, "bootstrap": True},
        20,
    ),
    "1 environment, an episode": ({}, 20),
}


@dataclasses.dataclass(frozen=True)
class RLBenchmarkSettings:
    """What is timed; the flags of `bin/benchmark.py --suite=rl`."""

    rl_env: str = setting(
        "CartPole-v1", "Gymnasium's id.", section="--suite=rl"
    )
    rl_env_backend: str = setting(
        "tf,gymnasium",
        "What plays, with commas.",
        choices=BACKENDS,
        several=True,
    )
    rl_estimator: str = setting(
        "a2c,relax",
        "Policy gradients, with commas.",
        choices=ESTIMATORS,
        several=True,
    )
    rl_rounds: int = setting(5, "Timings of each case.", 1)


def rl_benchmark(
    settings: RLBenchmarkSettings, out: pathlib.Path
) -> list[dict[str, Any]]:
    """Times rollouts with updates, and their parts, and writes a CSV.

    The parts are timed by themselves after the whole: playing, learning from
    what was played, and of playing, outside TensorFlow, stepping the
    environments with constant actions.

    Args:
      settings: what is timed.
      out: the CSV file; beside it, ending in `.json`, device and versions.

    Returns:
      The rows of the CSV.

    Raises:
      ValueError: if a name is unknown.
      ImportError: if a backend is missing.
    """
    rows = [
        _row(case, backend, estimator, settings)
        for case in _CASES
        for backend in settings.rl_env_backend.split(",")
        for estimator in settings.rl_estimator.split(",")
    ]
    _files.write_csv(out, rows)
    _files.write_json(
        out.with_suffix(".json"),
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(0, jit_compile=True),
    )
    return rows


def _row(
    case: str, backend: str, estimator: str, settings: RLBenchmarkSettings
) -> dict[str, Any]:
    own, updates = _CASES[case]
    run = RLSettings(
        env=settings.rl_env, env_backend=backend, estimator=estimator, **own
    )
    learner, player = make_player(run)
    begin = time.perf_counter()
    with first_call(f"{updates} updates of {estimator}, {case}", True):
        player.updates(updates)
    compiled = time.perf_counter() - begin
    found = [_timed(player, updates) for _ in range(settings.rl_rounds)]
    speeds = np.array([steps / seconds for steps, seconds in found])
    row = {
        "env": settings.rl_env,
        "case": case,
        "env_backend": backend,
        "estimator": estimator,
        "steps_per_second": f"{np.median(speeds):.0f}",
        "min": f"{speeds.min():.0f}",
        "max": f"{speeds.max():.0f}",
        "ms_an_update": f"{1e3 * found[-1][1] / updates:.3f}",
        "ms_playing": "",
        "ms_stepping": "",
        "ms_learning": "",
        "first_call_seconds": f"{compiled:.2f}",
    }
    for part, seconds in _parts(run, learner, player).items():
        row[f"ms_{part}"] = f"{1e3 * seconds:.3f}"
    logging.info("%s", row)
    return row


def _timed(player: rl.Player, updates: int) -> tuple[float, float]:
    """Returns steps taken and seconds."""
    begin = time.perf_counter()
    steps = float(np.sum(player.updates(updates).steps))
    return steps, time.perf_counter() - begin


def _parts(
    settings: RLSettings, learner: rl.Learner, player: rl.Player
) -> dict[str, float]:
    """Returns the seconds of the parts of an update, each by itself."""
    paths = player.trajectories()
    steps = int(np.sum(np.max(paths.alive, (0, 1))))  # Of the longest.
    learn = tf.function(
        lambda *paths: learner.learn(rl.Trajectories(*paths)),
        jit_compile=True,
        autograph=False,
    )
    tensors = [tf.constant(x) for x in paths]
    parts = {
        "playing": _seconds(lambda: np.asarray(player.trajectories().alive)),
        "learning": _seconds(lambda: learn(*tensors).numpy()),
    }
    if settings.backend() != "tf":
        make = maker(settings.backend(), settings.env, 0)
        environment = make(settings.num_seeds * settings.num_envs)
        environment.reset(0)
        actions: np.ndarray = np.zeros(environment.num_copies, np.int64)
        if not environment.discrete:
            actions = np.zeros([len(actions), environment.action_size])

        def step() -> None:
            for _ in range(steps):
                environment.step(actions)

        parts["stepping"] = _seconds(step)
    return parts


def _seconds(run: Callable[[], Any], times: int = 5) -> float:
    run()
    begin = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - begin) / times
