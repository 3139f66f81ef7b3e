"""What all programs do alike: flags, help, the device, errors for people."""

from collections.abc import Callable, Sequence
import dataclasses
import functools
import os
import pathlib
import signal
import sys
from typing import Any

from absl import app
from absl import flags
from absl import logging
import tensorflow as tf

from tf_relax import experiments
from tf_relax.commands import _flags
from tf_relax.commands import _help
from tf_relax.experiments import setting

# What the user can mend. Anything else is a fault of the library, which its
# traceback helps to find.
_MISTAKES = (
    ArithmeticError,
    ImportError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
    tf.errors.ResourceExhaustedError,
)


@dataclasses.dataclass(frozen=True)
class DeviceOptions:
    """What a program that trains or measures runs on."""

    require_gpu: bool = setting(
        False,
        "Whether to stop with an error where TensorFlow sees no GPU.",
        section="Device",
    )


@dataclasses.dataclass(frozen=True)
class Program:
    """A command line: flags -> library call -> files.

    Attributes:
      name: begins its errors.
      doc: docstring of its module.
      run: is given the word besides the flags, if there is one, and an
        instance of each class of `settings`.
      settings: classes whose fields are the flags.
      out: what `--out`, which may be empty, is: see `check_writable`.
      argument: name of the word that it wants besides; empty: none.
      device: whether it trains or measures: then it says on what.
      stopped: what it says after Ctrl-C.
    """

    name: str
    doc: str | None
    run: Callable[..., None]
    settings: Sequence[type[Any]]
    out: str = "folder"
    argument: str = ""
    device: bool = True
    stopped: str = "Stopped."

    def main(self) -> None:
        """Runs the command line of this process, and exits."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if self.device:
            experiments.keep_freed_memory()
        values = flags.FLAGS
        app.run(
            functools.partial(self.call, values=values),
            flags_parser=functools.partial(self.parse, values=values),
        )

    def parse(self, argv: Sequence[str], values: flags.FlagValues) -> list[str]:
        """Returns the words that are no flags, the program's name first.

        Args:
          argv: the command line, the program's name first.
          values: gets the flags.

        Raises:
          SystemExit: with one line if they are wrong; after printing it, if
            they ask for help.
        """
        kinds = self._kinds()
        _flags.define(kinds, values)
        asked = {word.lstrip("-") for word in argv[1:] if word[:1] == "-"}
        if asked & {"help", "helpshort", "?"}:
            command = _command(argv[0])
            doc = str(self.doc).replace(f"python bin/{self.name}.py", command)
            short = "helpshort" in asked
            text = _help.page(command, doc, kinds, self.argument, short=short)
            print(text, end="")
            sys.exit(0)
        try:
            words = _flags.parse(kinds, argv, values)
            self._check_words(words)
        except (OSError, ValueError) as error:
            sys.exit(f"{self.name}: {error}\n--helpshort lists the flags.")
        return [argv[0], *words]

    def call(self, argv: Sequence[str], values: flags.FlagValues) -> None:
        """Runs the program.

        Args:
          argv: what `parse` returned.
          values: of its flags.

        Raises:
          SystemExit: with one line, if something that the user can mend is
            wrong.
        """
        try:
            self._call(argv[1:], values)
        except KeyboardInterrupt:
            logging.warning(self.stopped)
            sys.exit(130)
        except _MISTAKES as error:
            logging.debug("Where it went wrong:", exc_info=True)
            sys.exit(f"{self.name}: {_sentence(error)}")

    def _call(self, words: Sequence[str], values: flags.FlagValues) -> None:
        settings = [_flags.read(kind, values) for kind in self.settings]
        if "out" in values and values["out"].value:
            experiments.check_writable(
                pathlib.Path(values["out"].value), self.out
            )
        if self.device:
            if values["require_gpu"].value:
                experiments.require_gpu()
            xla = "jit_compile" not in values or values["jit_compile"].value
            logging.info("%s", experiments.describe_device(xla))
        self.run(*words, *settings)

    def _kinds(self) -> list[type[Any]]:
        return [*self.settings, *([DeviceOptions] if self.device else [])]

    def _check_words(self, words: Sequence[str]) -> None:
        if self.argument and len(words) != 1:
            raise ValueError(
                f"Expected one {self.argument.lower()}. Received: "
                f"{' '.join(words) or 'none'}."
            )
        if words and not self.argument:
            raise ValueError(
                f"Expected flags only, such as --name=value. Received: "
                f"{' '.join(words)}."
            )


def _command(path: str) -> str:
    """Returns how a program was called, as it may be called again."""
    name = os.path.basename(path)
    return f"python bin/{name}" if name.endswith(".py") else name


def _sentence(error: BaseException) -> str:
    """Returns what an error says, without numbers of the system's."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.strerror}: {error.filename}"
    if isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)):
        return f"Not enough memory. Make the sizes smaller. {_first(error)}"
    return str(error) or type(error).__name__


def _first(error: BaseException) -> str:
    return str(error).partition("\n")[0]
