"""What a run is computed on, in words."""

import os
import pathlib
import platform

import tensorflow as tf

_HOW_TO_GET_A_GPU = (
    "On Linux with an NVIDIA driver, `pip install 'tf_relax[cuda]'` brings "
    "what TensorFlow needs for one."
)


def device_name() -> str:
    """Returns the name of the first GPU, or of the CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return str(details.get("device_name", gpus[0].name))
    return f"CPU: {_cpu_model()}, {os.cpu_count()} cores"


def cpu_threads() -> int:
    """Returns how many threads an operation may have on the CPU."""
    chosen = tf.config.threading.get_intra_op_parallelism_threads()
    by_name = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    if not chosen and by_name.isdigit():
        chosen = int(by_name)
    return chosen or len(_cores())


def describe_device(jit_compile: bool | str) -> str:
    """Returns a line: the GPUs, or how to get one; XLA; the CPU's threads.

    Args:
      jit_compile: whether XLA compiles, or in words, where it is both.
    """
    gpus = len(tf.config.list_physical_devices("GPU"))
    found = f"{gpus} GPU{'s' if gpus > 1 else ''}" if gpus else "no GPU"
    if isinstance(jit_compile, bool):
        jit_compile = "on" if jit_compile else "off"
    line = (
        f"Device: {device_name()}; {found}. XLA: {jit_compile}. CPU threads: "
        f"{cpu_threads()}."
    )
    return line if gpus else f"{line} {_HOW_TO_GET_A_GPU}"


def require_gpu() -> None:
    """Raises a ValueError if TensorFlow sees no GPU."""
    if not tf.config.list_physical_devices("GPU"):
        raise ValueError(
            f"`require_gpu` needs a GPU. Received: {device_name()}. "
            f"{_HOW_TO_GET_A_GPU}"
        )


def _cores() -> set[int]:
    """Returns the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux only.
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _cpu_model() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [x.split(":")[1].strip() for x in lines if x.startswith("model n")]
    return names[0] if names else platform.processor() or platform.machine()
