"""absl flags, made out of settings classes."""

from collections.abc import Iterable, Sequence
import dataclasses
import pathlib
from typing import Any, TypeVar

from absl import flags

from tf_relax.experiments import _settings

_Settings = TypeVar("_Settings")


def define(kinds: Iterable[type[Any]], values: flags.FlagValues) -> None:
    """Defines a flag for each field of some settings classes."""
    for kind in kinds:
        for field in dataclasses.fields(kind):
            text = field.metadata["help"]
            if field.type in (bool, "bool"):
                flags.DEFINE_boolean(field.name, field.default, text, values)
            else:
                flags.DEFINE(
                    _Parser(field),
                    field.name,
                    field.default,
                    text,
                    values,
                    serializer=flags.ArgumentSerializer(),
                )


def read(kind: type[_Settings], values: flags.FlagValues) -> _Settings:
    """Returns the settings that the command line gave."""
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: values[name].value for name in names})


def parse(
    kinds: Iterable[type[Any]], argv: Sequence[str], values: flags.FlagValues
) -> list[str]:
    """Parses a command line; returns what is no flag.

    Args:
      kinds: settings classes, whose flags are defined.
      argv: the command line, the program's name first.
      values: of the flags.

    Raises:
      ValueError: if it is wrong: one line that says how, and in which flag
        file if not on the command line itself.
    """
    if any(word.lstrip("-") == "flagfile=" for word in argv):
        raise ValueError("--flagfile must be the name of a file, and is empty")
    try:
        _, *arguments = values(argv)
    except flags.UnrecognizedFlagError as error:
        text = f"{error}{_place(error.flagname, argv)}"
        raise ValueError(text) from error
    except flags.IllegalFlagValueError as error:
        text = str(error)
        if "Non-boolean" in text:
            text = f"{text.partition(': (')[0]}: must be true or false"
        name = text.partition("=")[0].removeprefix("flag --")
        raise ValueError(f"{text}{_place(name, argv)}") from error
    except flags.Error as error:
        raise ValueError(str(error).removeprefix("ERROR:: ")) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"--flagfile must be text: {error}") from error
    for kind in kinds:
        for field in dataclasses.fields(kind):
            if field.metadata["required"] and not values[field.name].value:
                raise ValueError(
                    f"--{field.name} must be given and must not be empty: "
                    f"{field.metadata['help']}"
                )
    return arguments


class _Parser(flags.ArgumentParser):
    """Gives the words of a flag to `experiments._settings.parse`."""

    def __init__(self, field: dataclasses.Field[Any]) -> None:
        """See the class."""
        super().__init__()
        self._field = field

    def parse(self, argument: Any) -> Any:
        """See `absl.flags.ArgumentParser`."""
        if not isinstance(argument, str):
            return argument  # The default.
        return _settings.parse(self._field, argument)

    def flag_type(self) -> str:
        """See `absl.flags.ArgumentParser`."""
        return str(getattr(self._field.type, "__name__", self._field.type))


def _place(name: str, argv: Sequence[str]) -> str:
    """Returns in which flag file a flag stands; empty if on the command line.

    Of flag files that name others, the ones on the command line are looked
    through.
    """
    words = [word.lstrip("-").partition("=") for word in argv]
    if any(word[0] in (name, f"no{name}") for word in words):
        return ""
    for word, _, path in words:
        if word == "flagfile" and name in pathlib.Path(path).read_text():
            return f" It stands in {path}."
    return ""
