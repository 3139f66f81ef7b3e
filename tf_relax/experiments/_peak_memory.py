"""The memory that optimizer steps take, in a process of their own.

Run as a program it prints the peak of the case that its arguments describe.
"""

import ast
import ctypes
import gc
import pathlib
import subprocess
import sys

import tensorflow as tf

from tf_relax import datasets
from tf_relax.experiments import _timers

_STATUS = pathlib.Path("/proc/self/status")


def peak_mib(case: _timers.Case) -> float:
    """Returns the most memory of a call, in MiB; NaN without Linux.

    Weights, optimizer, batch, the program's buffers and the program count;
    TensorFlow, the data set and what compiling needed do not. On a GPU it is
    the device's memory.

    Args:
      case: whose call, of `steps_per_call` steps.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, repr(tuple(case))],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def _peak(case: _timers.Case) -> float:
    data = datasets.load("mnist")
    tf.function(lambda x: x + 1.0, jit_compile=True)(tf.ones([1]))
    if tf.config.list_physical_devices("GPU"):
        _timers.Timer(case, data, case.steps_per_call)()
        info = tf.config.experimental.get_memory_info("GPU:0")
        return float(info["peak"] / 2**20)
    if not _STATUS.exists():
        return float("nan")
    before = _resident()
    timer = _timers.Timer(case, data, case.steps_per_call)
    _resident()  # Gives back what compiling took.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    timer()
    return _status("VmHWM") - before


def _resident() -> float:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _status("VmRSS")


def _status(name: str) -> float:
    lines = _STATUS.read_text().splitlines()
    return float(next(x.split()[1] for x in lines if x.startswith(name))) / 1024


if __name__ == "__main__":
    print(_peak(_timers.Case(*ast.literal_eval(sys.argv[1]))))
