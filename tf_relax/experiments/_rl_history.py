"""All episodes of the runs of a policy gradient, and when they were solved."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_relax import rl

_EPISODE = np.dtype(
    [
        ("run", np.int32),
        ("env_steps", np.int64),
        ("seconds", np.float64),
        ("return", np.float64),
        ("length", np.int32),
        ("entropy", np.float64),
        ("log_variance", np.float64),
    ]
)


class History:
    """The episodes of R runs, in the order of their ends.

    Args:
      num_runs: R.
      window: episodes whose mean return is compared with the threshold.
    """

    def __init__(self, num_runs: int, window: int) -> None:
        """See the class."""
        self._window = window
        self.episodes = np.zeros([0], _EPISODE)
        self.updates = np.zeros([], np.int64)
        self.steps = np.zeros([num_runs], np.int64)
        self.seconds = np.zeros([], np.float64)
        self.log_variance = np.full([num_runs], np.nan)  # The latest.

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns what a checkpoint holds."""
        names = ("episodes", "updates", "steps", "seconds", "log_variance")
        return {name: getattr(self, name) for name in names}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Takes back what `arrays` returned."""
        for name in self.arrays():
            setattr(self, name, arrays[name])

    def append(self, progress: rl.Progress, seconds: float) -> None:
        """Takes in K updates, which took so long together."""
        ended, returns, lengths = (
            # To [R, K, L, N]: a run's episodes in the order of their ends.
            np.transpose(x, [1, 0, 3, 2])
            for x in progress[:3]
        )
        steps = np.transpose(progress.steps, [1, 0, 2])  # [R, K, L].
        runs, updates, looks, _ = ended.shape
        now = np.cumsum(steps.reshape([runs, -1]), 1, dtype=np.int64)
        now = self.steps[:, np.newaxis] + now
        passed = self.seconds + np.linspace(0, seconds, updates + 1)[1:]
        columns = {
            "run": np.arange(runs)[:, np.newaxis, np.newaxis, np.newaxis],
            "env_steps": now.reshape([runs, updates, looks, 1]),
            "seconds": passed[:, np.newaxis, np.newaxis],
            "return": returns,
            "length": lengths,
            "entropy": np.transpose(progress.entropy)[..., None, None],
            "log_variance": self.log_variance[:, None, None, None],
        }
        new = np.zeros(ended.shape, _EPISODE)
        for name, column in columns.items():
            new[name] = column
        # By update first: what came later lies behind.
        new, ended = (np.swapaxes(x, 0, 1) for x in (new, ended))
        self.episodes = np.concatenate([self.episodes, new[ended > 0]])
        self.updates = self.updates + updates
        self.steps = now[:, -1]
        self.seconds = self.seconds + seconds

    def of_run(self, run: int) -> np.ndarray:
        """Returns the episodes of a run."""
        return self.episodes[self.episodes["run"] == run]

    def fewest_episodes(self) -> int:
        """Returns how many episodes the run with the fewest has."""
        counts = np.bincount(self.episodes["run"], minlength=len(self.steps))
        return int(counts.min())

    def means(self, run: int) -> np.ndarray:
        """Returns the mean return of the window that ends at each episode.

        Before the first full window it is the mean of what there is.
        """
        window = self._window
        sums = np.cumsum(self.of_run(run)["return"])
        before = np.zeros_like(sums)
        before[window:] = sums[:-window] if len(sums) > window else 0.0
        return (sums - before) / np.minimum(np.arange(len(sums)) + 1, window)

    def mean_return(self) -> float:
        """Returns the mean of all runs' newest windows."""
        means = [self.means(run) for run in range(len(self.steps))]
        newest = [run[-1] for run in means if len(run)]
        return float(np.mean(newest)) if newest else float("nan")

    def solved(self, threshold: float) -> list[int | None]:
        """Returns after how many episodes each run was solved, if it was."""
        found: list[int | None] = []
        for run in range(len(self.steps)):
            means = self.means(run)
            there = means >= threshold
            there[: self._window - 1] = False
            found.append(int(np.argmax(there)) + 1 if there.any() else None)
        return found

    def summary(self, threshold: float, first_seed: int) -> dict[str, Any]:
        """Returns what `summary.json` holds."""
        runs = {}
        for run, count in enumerate(self.solved(threshold)):
            episodes, means = self.of_run(run), self.means(run)
            at = episodes[count - 1] if count else None
            runs[str(first_seed + run)] = {
                "solved": count is not None,
                "episodes_to_solve": count,
                "steps_to_solve": None if at is None else int(at["env_steps"]),
                "seconds_to_solve": None
                if at is None
                else round(float(at["seconds"]), 2),
                "final_mean_return": float(means[-1]) if len(means) else None,
                "best_mean_return": float(means[self._window - 1 :].max())
                if len(means) >= self._window
                else None,
                "episodes": len(episodes),
                "env_steps": int(self.steps[run]),
            }
        return {
            "threshold": threshold if np.isfinite(threshold) else None,
            "seconds": float(self.seconds),
            "runs": runs,
        }

    def rows(self, first_seed: int) -> list[dict[str, Any]]:
        """Returns the rows of `metrics.csv`."""
        rows = []
        for run in range(len(self.steps)):
            for number, (episode, mean) in enumerate(
                zip(self.of_run(run), self.means(run), strict=True)
            ):
                variance = episode["log_variance"]
                rows.append(
                    {
                        "seed": first_seed + run,
                        "episode": number + 1,
                        "env_steps": episode["env_steps"],
                        "seconds": f"{episode['seconds']:.3f}",
                        "return": f"{episode['return']:.6g}",
                        f"mean_return_{self._window}": f"{mean:.6g}",
                        "entropy": f"{episode['entropy']:.5g}",
                        "log_variance": ""
                        if np.isnan(variance)
                        else f"{variance:.4f}",
                    }
                )
        return rows
