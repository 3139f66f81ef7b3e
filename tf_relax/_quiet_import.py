"""Imports TensorFlow, Keras and TFP without their lines on the terminal."""

from collections.abc import Iterator
import contextlib
import os
import re
import sys
import tempfile
from typing import BinaryIO
import warnings

# Only the news that TensorFlow prints when it is imported. Warnings, errors,
# and what another thread writes meanwhile, come through.
_NEWS = re.compile(
    rb"""
    I\d{4}\ .*  # absl: "I0000 00:00:1700000000.123456  42 port.cc:153] ..."
    | [0-9:. -]+:\ I\ .*  # "2025-01-31 12:00:00.123456: I tensorflow/..."
    | WARNING:\ All\ log\ messages\ before\ absl::InitializeLog.*
    | To\ enable\ the\ following\ instructions:.*
    """,
    re.VERBOSE,
)


def import_packages() -> None:
    """Imports the packages that tf_relax stands on, quietly.

    `TF_CPP_MIN_LOG_LEVEL=0` shows all that TensorFlow has to say.
    """
    with contextlib.ExitStack() as stack:
        # TensorFlow 2.21 heeds TF_CPP_MIN_LOG_LEVEL only after its first lines,
        # and the variable would stay set for the user's own programs.
        if os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "0":
            stack.enter_context(_stderr_without_news())
        stack.enter_context(warnings.catch_warnings())
        # Meant for the packages' authors. TFP 0.25 alone has two.
        for category in (DeprecationWarning, FutureWarning, SyntaxWarning):
            warnings.simplefilter("ignore", category)
        import keras  # noqa: F401
        import tensorflow as tf  # noqa: F401
        import tensorflow_probability as tfp

        _ = tfp.distributions  # TFP is lazy: only this imports it.


@contextlib.contextmanager
def _stderr_without_news() -> Iterator[None]:
    """Holds file descriptor 2 back, then passes on all of it but the news.

    C++ writes there past `sys.stderr`.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # No stderr, or no place for a file.
            terminal = os.dup(2)
            stack.callback(os.close, terminal)
            held = stack.enter_context(tempfile.TemporaryFile())
            _flush_stderr()
            os.dup2(held.fileno(), 2)
            stack.callback(_pass_on, held, terminal)
        yield


def _pass_on(held: BinaryIO, terminal: int) -> None:
    _flush_stderr()
    os.dup2(terminal, 2)
    held.seek(0)
    for line in held:
        if not _NEWS.match(line):
            os.write(2, line)


def _flush_stderr() -> None:
    with contextlib.suppress(AttributeError, ValueError):  # None, or closed.
        sys.stderr.flush()
