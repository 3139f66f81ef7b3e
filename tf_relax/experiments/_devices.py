"""The devices and processes that train a run together."""

from collections.abc import Iterator
import contextlib
import dataclasses
import functools
import json
import os
from typing import Any

from absl import logging
import tensorflow as tf

from tf_relax._names import unknown

# What `--strategy` may be.
STRATEGIES = ("none", "mirrored", "multiworker")

_EXAMPLE = (
    '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Devices:
    """What trains a run.

    Attributes:
      strategy: of `tf.distribute`; None for one device.
      is_chief: whether this process writes the files.
    """

    strategy: Any = None
    is_chief: bool = True

    @property
    def num_replicas(self) -> int:
        """Returns how many devices share a batch."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    def scope(self) -> Any:
        """Returns the context in which the model is made."""
        if self.strategy is None:
            return contextlib.nullcontext()
        return self.strategy.scope()

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Says of TensorFlow's error what it means if a process is lost.

        Raises:
          ConnectionError: if another process does not answer.
        """
        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            raise ConnectionError(
                "Another process of the cluster does not answer any more. "
                "Start all of them again: the same commands resume the run "
                f"from its last checkpoint. TensorFlow says: {error.message}"
            ) from error

    def check(self, batch_size: int) -> None:
        """Raises a ValueError unless the replicas can share a batch evenly."""
        if batch_size % self.num_replicas:
            raise ValueError(
                "`batch_size` must be a multiple of the number of replicas: "
                f"each takes its part. Received: batch_size={batch_size}, "
                f"{self.num_replicas} replicas."
            )

    def check_same_epoch(self, epoch: int) -> None:
        """Raises a ValueError unless all processes begin at one epoch."""
        if not self.strategy:
            return

        @tf.function
        def gathered() -> Any:
            return self.strategy.run(
                lambda: tf.distribute.get_replica_context().all_gather(
                    tf.constant([epoch], tf.float32), 0
                )
            )

        local = self.strategy.experimental_local_results(gathered())
        epochs = [int(x) for x in local[0]]
        if len(set(epochs)) > 1:
            raise ValueError(
                "All processes must resume from one checkpoint: --out must be "
                "a folder that all of them see. Received: checkpoints of "
                f"epochs {epochs}, replica by replica; 0 for none."
            )


def make_devices(name: str) -> Devices:
    """Returns the devices of a run; call it before anything of TensorFlow.

    Args:
      name: one of `STRATEGIES`. "mirrored" has all GPUs of this machine;
        "multiworker" those of all the processes that the environment variable
        TF_CONFIG names, and waits for them.

    Raises:
      ValueError: if the name is unknown, or TF_CONFIG is not as it should be.
    """
    if name not in STRATEGIES:
        raise ValueError(unknown("strategy", name, STRATEGIES))
    if name == "none":
        return Devices()
    is_chief = name == "mirrored" or _is_chief(_cluster())
    devices = Devices(_strategy(name), is_chief)
    if devices.num_replicas == 1:
        logging.info("One device: --strategy=%s is as none.", name)
        return dataclasses.replace(devices, strategy=None)
    logging.info("%d replicas", devices.num_replicas)
    return devices


@functools.cache
def _strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy: one a process, whose collectives have numbers."""
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    return tf.distribute.MultiWorkerMirroredStrategy()


def _cluster() -> dict[str, Any]:
    """Returns what TF_CONFIG says.

    Raises:
      ValueError: if that is no cluster with a task.
    """
    text = os.environ.get("TF_CONFIG", "")
    advice = (
        "--strategy=multiworker needs the environment variable TF_CONFIG, in "
        f"each process with its own index, such as\n  TF_CONFIG='{_EXAMPLE}'\n"
        f"Received: TF_CONFIG={text!r}."
    )
    try:
        config = json.loads(text)
        known = config["cluster"][config["task"]["type"]]
        known[config["task"]["index"]]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError(advice) from error
    return dict(config)


def _is_chief(config: dict[str, Any]) -> bool:
    """Returns whether this is the chief, or worker 0 where there is none."""
    task = config["task"]
    if "chief" in config["cluster"]:
        return bool(task["type"] == "chief")
    return bool(task["type"] == "worker" and task["index"] == 0)
