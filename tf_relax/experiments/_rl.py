"""A whole run of policy gradients: episodes, learning, checkpoints, files."""

import dataclasses
import pathlib
import time
from typing import Any

from absl import logging
import numpy as np

from tf_relax import rl
from tf_relax.experiments import _files
from tf_relax.experiments import _plots
from tf_relax.experiments._rl_settings import make_player
from tf_relax.experiments._rl_settings import RLSettings
from tf_relax.experiments._rl_settings import solved_at
from tf_relax.experiments._settings import check_same
from tf_relax.experiments._settings import write_flags


def train_rl(settings: RLSettings, out: pathlib.Path) -> dict[str, Any]:
    """Trains, or goes on training, in the folder `out`.

    Interrupted, it leaves a run that the same call resumes from the last
    checkpoint; with TensorFlow dynamics bitwise as if it had not been.

    Args:
      settings: of the run.
      out: its folder: `config.json`, `flags.txt`, `metrics.csv`,
        `checkpoint.npz`, and at the end `summary.json` and `curves.png`.

    Returns:
      What `summary.json` holds, by seed: whether and when it was solved, in
      episodes and in steps of the environment.

    Raises:
      ValueError: if `out` holds a run with other settings, or a setting is
        unknown.
      ImportError: if what an environment needs is missing.
    """
    check_same(settings, out / "config.json", may_differ=("max_episodes",))
    learner, player = make_player(settings)
    history = _History(settings)
    _restore(learner, history, out)
    write_flags(settings, out / "flags.txt")
    _files.write_json(
        out / "config.json",
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(settings.seed, settings.jit_compile),
    )
    threshold = solved_at(settings)
    while history.num_updates < history.all_updates and not (
        settings.stop_when_solved and history.all_solved(threshold)
    ):
        begin = time.perf_counter()
        progress = player.updates(settings.updates_per_call)
        lengths = progress.lengths.numpy()
        seconds = time.perf_counter() - begin
        history.append(progress.returns.numpy(), lengths, progress, seconds)
        history.write(out / "metrics.csv")
        _save(learner, history, out / "checkpoint.npz")
        logging.info(
            "%d episodes a run, mean return %.1f, %.0f steps a second",
            history.num_episodes,
            history.means()[-1].mean(),
            lengths.sum() / seconds,
        )
    summary = history.summary(threshold)
    _files.write_json(out / "summary.json", summary)
    _plots.draw_returns(
        out / "curves.png",
        history.means(),
        f"{settings.estimator}, {settings.env}",
        threshold,
    )
    return summary


class _History:
    """All episodes of R runs, `[E, R]`, in the order of their updates."""

    def __init__(self, settings: RLSettings) -> None:
        self._settings = settings
        runs = settings.num_seeds
        self.returns = np.zeros([0, runs], np.float32)
        self.lengths = np.zeros([0, runs], np.float32)
        self.entropy = np.zeros([0, runs], np.float32)
        self.seconds = np.zeros([0])

    @property
    def num_episodes(self) -> int:
        return len(self.returns)

    @property
    def num_updates(self) -> int:
        return self.num_episodes // self._settings.episodes_per_update

    @property
    def all_updates(self) -> int:
        return -(
            -self._settings.max_episodes // self._settings.episodes_per_update
        )

    def append(
        self,
        returns: np.ndarray,
        lengths: np.ndarray,
        progress: rl.Progress,
        seconds: float,
    ) -> None:
        """Takes `[K, R, N]` in, the episodes of an update one after another."""
        updates, runs, episodes = returns.shape

        def flat(x: np.ndarray) -> np.ndarray:
            return x.transpose(0, 2, 1).reshape(-1, runs)

        entropy = progress.entropy.numpy()[:, :, np.newaxis]
        entropy = np.broadcast_to(entropy, returns.shape)
        start = self.seconds[-1] if len(self.seconds) else 0.0
        passed = np.linspace(0.0, seconds, updates * episodes + 1)[1:]
        self.returns = np.concatenate([self.returns, flat(returns)])
        self.lengths = np.concatenate([self.lengths, flat(lengths)])
        self.entropy = np.concatenate([self.entropy, flat(entropy)])
        self.seconds = np.concatenate([self.seconds, start + passed])

    def means(self) -> np.ndarray:
        """Returns the mean return of the window that ends here, `[E, R]`.

        Before the first full window it is the mean of what there is.
        """
        window = self._settings.window
        sums = np.cumsum(self.returns, 0, dtype=np.float64)
        before = np.zeros_like(sums)
        before[window:] = sums[:-window] if self.num_episodes > window else 0.0
        counts = np.minimum(np.arange(1, len(sums) + 1), window)
        return (sums - before) / counts[:, np.newaxis]

    def solved(self, threshold: float) -> list[int | None]:
        """Returns after how many episodes each run was solved, if it was."""
        full = np.arange(1, self.num_episodes + 1) >= self._settings.window
        there = (self.means() >= threshold) & full[:, np.newaxis]
        return [
            int(np.argmax(run)) + 1 if run.any() else None for run in there.T
        ]

    def all_solved(self, threshold: float) -> bool:
        return self.num_episodes > 0 and None not in self.solved(threshold)

    def summary(self, threshold: float) -> dict[str, Any]:
        steps = np.cumsum(self.lengths, 0)
        means = self.means()
        runs = {}
        for index, episodes in enumerate(self.solved(threshold)):
            solved = episodes is not None
            runs[str(self._settings.seed + index)] = {
                "solved": solved,
                "episodes_to_solve": episodes,
                "steps_to_solve": int(steps[(episodes or 0) - 1, index])
                if solved
                else None,
                "final_mean_return": float(means[-1, index]),
                "env_steps": int(steps[-1, index]),
            }
        return {
            "threshold": threshold,
            "episodes": self.num_episodes,
            "seconds": float(self.seconds[-1]),
            "runs": runs,
        }

    def write(self, path: pathlib.Path) -> None:
        steps, means = np.cumsum(self.lengths, 0), self.means()
        rows = [
            {
                "seed": self._settings.seed + run,
                "episode": episode + 1,
                "env_steps": int(steps[episode, run]),
                "seconds": f"{self.seconds[episode]:.3f}",
                "return": f"{self.returns[episode, run]:.6g}",
                f"mean_return_{self._settings.window}": (
                    f"{means[episode, run]:.6g}"
                ),
                "entropy": f"{self.entropy[episode, run]:.5g}",
            }
            for run in range(self.returns.shape[1])
            for episode in range(self.num_episodes)
        ]
        _files.write_csv(path, rows)


_HISTORY = ("returns", "lengths", "entropy", "seconds")


def _save(learner: rl.Learner, history: _History, path: pathlib.Path) -> None:
    arrays: dict[str, Any] = {
        f"v{i}": np.asarray(v) for i, v in enumerate(learner.variables)
    }
    arrays |= {name: getattr(history, name) for name in _HISTORY}
    _files.replace(path, lambda draft: np.savez(draft, **arrays))


def _restore(learner: rl.Learner, history: _History, out: pathlib.Path) -> None:
    path = out / "checkpoint.npz"
    if not path.exists():
        return
    with np.load(path) as arrays:
        for i, variable in enumerate(learner.variables):
            variable.assign(arrays[f"v{i}"])
        for name in _HISTORY:
            setattr(history, name, arrays[name])
    logging.info("Resuming after %d episodes a run", history.num_episodes)
