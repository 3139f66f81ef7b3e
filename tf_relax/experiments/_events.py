"""Events for TensorBoard, where it is installed."""

from collections.abc import Iterator
import contextlib
import errno
import os
import pathlib
from typing import Any

from absl import logging
import tensorflow as tf

from tf_relax._output import no_space


def has_tensorboard() -> bool:
    """Returns whether events can be written; warns if they cannot."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        logging.warning(
            "No TensorBoard events: it is missing. Install it with "
            "`pip install tensorboard`."
        )
        return False
    return True


def event_writer(folder: pathlib.Path) -> Any:
    """Returns a writer of summaries; None without TensorBoard."""
    if not has_tensorboard():
        return None  # Without it TensorFlow has no summaries at all.
    return tf.summary.create_file_writer(str(folder))


@contextlib.contextmanager
def full_disk_said(out: pathlib.Path) -> Iterator[None]:
    """Says of TensorFlow's error what it means if events find no space.

    Args:
      out: folder of the run.

    Raises:
      OSError: if the disk is full.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if os.strerror(errno.ENOSPC) not in str(error):
            raise
        raise no_space(out / "events") from error
