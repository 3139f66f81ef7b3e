"""Keras callbacks of a run that can be stopped and resumed."""

import contextlib
import pathlib
import time
from typing import Any

import keras

from tf_relax.experiments import _checkpoints
from tf_relax.experiments import _files
from tf_relax.experiments._progress import first_call

ENDING = ".keras"  # Of the checkpoints.


class MetricsCSV(keras.callbacks.Callback):
    """Writes `metrics.csv`: a row an epoch, rewritten whole each time.

    `seconds` is training time, compilation included and evaluation not,
    summed over resumed runs.

    Args:
      path: of the file. Rows of epochs after `epoch` are dropped.
      epoch: the number of epochs that are done.
    """

    def __init__(self, path: pathlib.Path, epoch: int) -> None:
        """See the class."""
        super().__init__()
        self._path = path
        self.rows = _files.rows_until(path, epoch)
        self._seconds = float(self.rows[-1]["seconds"]) if self.rows else 0.0
        self._begin = 0.0
        self._end = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._begin = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._end = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._seconds += self._end - self._begin
        row = {
            "step": self.model.step,
            "epoch": epoch + 1,
            "seconds": f"{self._seconds:.3f}",
        }
        values = {
            name: f"{float(x):.6g}"
            for name, x in (logs or {}).items()
            if not name.endswith("loss")  # It is -ELBO.
        }
        self.rows.append(row | values)
        _files.write_csv(self._path, self.rows)


class Checkpoints(keras.callbacks.Callback):
    """Keeps the whole model of the newest two epochs as `.keras` files.

    Args:
      folder: of the files, `epoch_00012.keras`.
      every: epochs between two.
    """

    def __init__(self, folder: pathlib.Path, every: int) -> None:
        """See the class."""
        super().__init__()
        self._folder = folder
        self._every = every

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        if (epoch + 1) % self._every == 0 or self.model.stop_training:
            path = _checkpoints.of_epoch(self._folder, epoch + 1, ENDING)
            _files.replace(path, self.model.save)
            _checkpoints.remove_old(self._folder, ENDING)


class FirstCall(keras.callbacks.Callback):
    """Logs that the first call makes a program, and how long that took.

    Args:
      what: the program does.
      jit_compile: whether XLA compiles it.
    """

    def __init__(self, what: str, jit_compile: bool) -> None:
        """See the class."""
        super().__init__()
        self._what = what
        self._jit_compile = jit_compile
        self._waiting = contextlib.ExitStack()

    def on_train_begin(self, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._waiting.enter_context(first_call(self._what, self._jit_compile))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._waiting.close()  # Again and again, to no effect.


class StopAtStep(keras.callbacks.Callback):
    """Stops after so many optimizer steps, and draws the progress bar.

    Args:
      steps: of the whole run.
    """

    def __init__(self, steps: int) -> None:
        """See the class."""
        super().__init__()
        self._steps = steps
        self._done = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        self._done = self.model.step
        left = self._steps - self._done
        self._bar = keras.utils.Progbar(
            left,
            width=20,
            stateful_metrics=["elbo"],  # The epoch's mean, not the run's.
            unit_name="step",
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """See `keras.callbacks.Callback`."""
        step = self.model.step
        shown = min(step, self._steps) - self._done
        self._bar.update(shown, [("elbo", (logs or {}).get("elbo", 0.0))])
        if step >= self._steps:
            self.model.stop_training = True
