"""A whole run of policy gradients: episodes, learning, checkpoints, files."""

from collections.abc import Callable, Sequence
import contextlib
import dataclasses
import functools
import pathlib
import time
from typing import Any

from absl import logging
import numpy as np
import tensorflow as tf

from tf_relax import relaxations
from tf_relax import rl
from tf_relax.experiments import _checkpoints
from tf_relax.experiments import _files
from tf_relax.experiments import _plots
from tf_relax.experiments._events import event_writer
from tf_relax.experiments._events import full_disk_said
from tf_relax.experiments._progress import first_call
from tf_relax.experiments._rl_environments import solved_at
from tf_relax.experiments._rl_history import History
from tf_relax.experiments._rl_settings import make_player
from tf_relax.experiments._rl_settings import RLSettings
from tf_relax.experiments._settings import check_same
from tf_relax.experiments._settings import of_run
from tf_relax.experiments._settings import write_flags

_FRESH = 1  # Salt of the seeds of fresh episodes.


def train_rl(settings: RLSettings, out: pathlib.Path) -> dict[str, Any]:
    """Trains, or goes on training, in the folder `out`.

    Interrupted, it leaves a run that the same call resumes from the last
    checkpoint: bitwise as if it had not been with TensorFlow dynamics, and
    with updates of whole episodes in gymnasium's environments; else, where the
    state of an environment cannot be kept, by new episodes, and says so.

    Args:
      settings: of the run.
      out: its folder: `config.json`, `flags.txt`, `metrics.csv`,
        `checkpoint.npz` and the one before it, `events/` for TensorBoard,
        `variance.csv` if it is measured, and at the end `summary.json` and
        `curves.png`.

    Returns:
      What `summary.json` holds, by seed: whether and when it was solved, in
      episodes and in steps of the environment.

    Raises:
      ValueError: if `out` holds a run with other settings, or a setting is
        unknown.
      FloatingPointError: if weights are no longer finite; the checkpoint of
        before stays.
      OSError: if the disk is full; what was written before is whole.
      ImportError: if what an environment needs is missing.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"`out` must be a folder. Received: the file {out}.")
    ends = ("max_episodes", "max_env_steps", "stop_when_solved")
    check_same(settings, out / "config.json", may_differ=ends)
    _files.remove_drafts(out)
    run = _Run(settings, out)
    write_flags(settings, out / "flags.txt")
    _files.write_json(
        out / "config.json",
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(settings.seed, settings.jit_compile),
    )
    if not run.goes_on():
        logging.info("%s has all that is asked for: files are rewritten.", out)
    with full_disk_said(out):
        while run.goes_on():
            run.call()
        return run.finish()


class _Run:
    """A run in its folder, from its last checkpoint on."""

    def __init__(self, settings: RLSettings, out: pathlib.Path) -> None:
        self._settings = settings
        self._out = out
        self._learner, self._player = make_player(settings)
        self._threshold = solved_at(settings.env)
        size = settings.variance_every or settings.updates_per_call
        self._first_call: Callable[[], Any] = functools.partial(
            first_call,
            f"{size} updates of {settings.num_seeds} runs",
            settings.jit_compile,
        )
        self._history = History(settings.num_seeds, settings.window)
        self._meter = rl.VarianceMeter(
            self._learner, settings.estimator, jit_compile=settings.jit_compile
        )
        self._variances: list[dict[str, Any]] = []
        self._variables = [*self._learner.variables, *self._player.variables]
        self._restore()
        self._events = event_writer(out / "events")

    def goes_on(self) -> bool:
        """Returns whether there is more to be done."""
        settings, history = self._settings, self._history
        done = (
            0 < settings.max_episodes <= history.fewest_episodes()
            or 0 < settings.max_env_steps <= history.steps.min()
        )
        if settings.stop_when_solved and None not in history.solved(
            self._threshold
        ):
            done = True
        return not done

    def call(self) -> None:
        """Makes the updates between two checkpoints, and writes files."""
        settings, history = self._settings, self._history
        steps, seconds = history.steps.sum(), float(history.seconds)
        size = settings.variance_every or settings.updates_per_call
        for _ in range(settings.updates_per_call // size):
            if settings.variance_every:
                self._measure()
            begin = time.perf_counter()
            with self._first_call():
                progress = self._player.updates(size)
                progress = rl.Progress(*(np.asarray(x) for x in progress))
            self._first_call = contextlib.nullcontext
            history.append(progress, time.perf_counter() - begin)
        speed = (history.steps.sum() - steps) / (
            float(history.seconds) - seconds
        )
        self._save()
        logging.info(
            "%d episodes a run, mean return %.1f, %.0f steps a second",
            history.fewest_episodes(),
            history.mean_return(),
            speed,
        )
        self._write_events(speed)

    def finish(self) -> dict[str, Any]:
        """Writes what is written at the end."""
        history, settings = self._history, self._settings
        self._write_tables()
        summary = history.summary(self._threshold, settings.seed)
        _files.write_json(self._out / "summary.json", summary)
        _plots.draw_returns(
            self._out / "curves.png",
            [history.means(run) for run in range(settings.num_seeds)],
            f"{settings.estimator}, {settings.env}",
            self._threshold,
        )
        return summary

    def _measure(self) -> None:
        """Measures the gradient's variance on fresh episodes."""
        seed = relaxations.fold_seed(self._learner.seed_of_update(), _FRESH)
        paths = self._player.episodes(self._settings.variance_episodes, seed)
        measured = self._meter(paths)
        history = self._history
        own = measured[self._settings.estimator]
        history.log_variance = np.asarray(own.log_variance, np.float64)
        for name, variance in measured.items():
            logs, totals = (np.asarray(x) for x in variance)
            self._variances += [
                {
                    "seed": self._settings.seed + run,
                    "update": int(history.updates),
                    "episode": len(history.of_run(run)),
                    "env_steps": int(history.steps[run]),
                    "estimator": name,
                    "log_variance": f"{logs[run]:.4f}",
                    "total_variance": f"{totals[run]:.5g}",
                }
                for run in range(self._settings.num_seeds)
            ]

    def _save(self) -> None:
        for variable in self._variables:
            if not np.isfinite(np.asarray(variable)).all():
                raise FloatingPointError(
                    f"{getattr(variable, 'path', variable.name)} is no longer "
                    f"finite after {int(self._history.updates)} updates. "
                    "Likely cause: a learning rate that is too high. Received: "
                    f"learning_rate={self._settings.learning_rate:g}. Lower "
                    "the learning rates, in another folder; what was saved "
                    f"before stays in {self._out}."
                )
        # Rows first: a resumed run has those of its checkpoint, or more.
        self._write_tables()
        path, before = _places(self._out)
        _checkpoints.save_arrays(
            path, self._variables, self._history.arrays(), before=before
        )

    def _write_tables(self) -> None:
        rows = self._history.rows(self._settings.seed)
        _files.write_csv(self._out / "metrics.csv", rows)
        if self._variances:
            _files.write_csv(self._out / "variance.csv", self._variances)

    def _restore(self) -> None:
        path = newest_checkpoint(self._out)
        if path is None:
            if self._settings.start_from:
                self._take_policies(pathlib.Path(self._settings.start_from))
            return
        self._history = restore_checkpoint(
            path, self._variables, self._settings
        )
        updates = int(self._history.updates)
        self._variances = [
            row
            for row in _files.read_csv(self._out / "variance.csv")
            if int(row["update"]) < updates
        ]
        logging.info("Resuming after %d updates", updates)
        if not self._player.is_restored:
            logging.warning(
                "The environments begin new episodes, since their state cannot "
                "be kept: the policies go on as they were, but the run will "
                "not be the one that it would have been."
            )

    def _take_policies(self, folder: pathlib.Path) -> None:
        """Sets the policies, and what they see, to those of another run."""
        path = folder / "config.json"
        if not path.is_file():
            raise ValueError(
                "`start_from` must be the folder of a run. Received: "
                f"start_from={folder}, without a config.json."
            )
        other = of_run(RLSettings, folder)
        same = ("env", "hidden", "activation", "num_seeds")
        for name in (*same, "normalise_observations"):
            ours, theirs = (getattr(x, name) for x in (self._settings, other))
            if ours != theirs:
                raise ValueError(
                    f"`start_from` must be of a run with the same {name}. "
                    f"Received: {theirs!r} there, {ours!r} here."
                )
        learner, _ = make_player(other)
        checkpoint = newest_checkpoint(folder)
        if checkpoint is None:
            raise ValueError(
                "`start_from` must be the folder of a run that has learned. "
                f"Received: start_from={folder}, without a checkpoint."
            )
        restore_checkpoint(checkpoint, learner.variables, other)
        for mine, theirs in zip(
            self._learner.policy_variables,
            learner.policy_variables,
            strict=True,
        ):
            mine.assign(theirs)

    def _write_events(self, speed: float) -> None:
        if self._events is None:
            return
        history = self._history
        with self._events.as_default(step=int(history.steps.min())):
            tf.summary.scalar("steps_per_second", speed)
            for run in range(self._settings.num_seeds):
                episodes = history.of_run(run)
                if not len(episodes):
                    continue
                last = episodes[-1]
                name = f"seed_{self._settings.seed + run}"
                mean = history.means(run)[-1]
                tf.summary.scalar(f"mean_return/{name}", mean)
                tf.summary.scalar(f"entropy/{name}", last["entropy"])
                if np.isfinite(last["log_variance"]):
                    tf.summary.scalar(
                        f"log_variance/{name}", last["log_variance"]
                    )
        self._events.flush()


def newest_checkpoint(folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the newest whole checkpoint of a run; None if it has none.

    Raises:
      ValueError: if all that it has are damaged.
    """
    return _checkpoints.newest(_places(folder))


def restore_checkpoint(
    path: pathlib.Path, variables: Sequence[Any], settings: RLSettings
) -> History:
    """Sets variables to those of a checkpoint; returns the run's episodes.

    Raises:
      ValueError: if it is of another version of tf_relax, or another run.
    """
    history = History(settings.num_seeds, settings.window)
    names = list(history.arrays())
    history.restore(_checkpoints.restore_arrays(path, variables, names))
    return history


def _places(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns where the newest checkpoint lies, and the one before."""
    return [folder / "checkpoint.npz", folder / "checkpoint.before.npz"]
