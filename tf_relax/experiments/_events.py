"""Events for TensorBoard, where it is installed."""

import pathlib
from typing import Any

from absl import logging
import tensorflow as tf


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
    """Returns a writer of summaries, one that does nothing without it."""
    if not has_tensorboard():
        return tf.summary.create_noop_writer()
    return tf.summary.create_file_writer(str(folder))
