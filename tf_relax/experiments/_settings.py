"""Settings of experiments: dataclasses whose fields know what they may be.

The programs make their flags and their help out of them, so that a setting is
written down once: its name, default, help, bounds and choices.
"""

from collections.abc import Iterable, Sequence
import dataclasses
import math
import pathlib
from typing import Any, TypeVar

from tf_relax._names import unknown
from tf_relax.experiments import _files

_Settings = TypeVar("_Settings")

LARGEST_BETA = 0.999999  # Of Adam, which divides by 1 - beta.
_LARGEST_INT = 2**31 - 1  # What TensorFlow's int32, its seeds too, can hold.
_LARGEST_FLOAT = 3.4028234e38  # Float32's.


def setting(
    default: Any,
    text: str,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    *,
    choices: Iterable[str] = (),
    several: bool = False,
    layered: bool = False,
    required: bool = False,
    section: str = "",
) -> Any:
    """Returns a dataclass field that knows what it may be.

    Args:
      default: its value if none is given.
      text: its help, with its unit.
      lower_bound: of a number, inclusive.
      upper_bound: likewise.
      choices: of a string: what it may be, besides its default.
      several: whether it may be some of the choices, with commas.
      layered: whether it may be one of them for each layer, with + between.
      required: whether it must be given, and not be empty.
      section: title of the part of the help that it begins.
    """
    metadata = {
        "help": text,
        "lower_bound": lower_bound,
        "upper_bound": upper_bound,
        "choices": tuple(choices),
        "several": several,
        "layered": layered,
        "required": required,
        "section": section,
    }
    return dataclasses.field(default=default, metadata=metadata)


def parse(field: dataclasses.Field[Any], word: str) -> Any:
    """Returns the value of a setting that a command line gives.

    Args:
      field: of a settings class, other than a truth value.
      word: what was given.

    Raises:
      ValueError: if it is out of bounds or none of the choices.
    """
    if field.type in (int, "int", float, "float"):
        return parse_number(field, word, field.type in (int, "int"))
    choices = field.metadata["choices"]
    if not choices or word == field.default:
        return word
    words = word.split(",") if field.metadata["several"] else [word]
    words = [each.strip() for each in words]
    for each in words:
        for name in each.split("+") if field.metadata["layered"] else [each]:
            if name not in choices:
                raise ValueError(unknown(field.name, name, choices))
    return ",".join(words)


def parse_number(
    field: dataclasses.Field[Any], word: str, whole: bool
) -> float:
    """Returns a number within a field's bounds, which are inclusive.

    Args:
      field: that has the bounds.
      word: what was given.
      whole: whether it must be whole.

    Raises:
      ValueError: if it is not such a number; says which there are.
    """
    low, high = (field.metadata[f"{x}_bound"] for x in ("lower", "upper"))
    largest = _LARGEST_INT if whole else _LARGEST_FLOAT
    least = -largest if low is None else low
    most = largest if high is None else high
    try:
        number = int(word) if whole else float(word)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        finite = "" if whole or not _overflows(word) else "not finite: it "
        what = "a whole number" if whole else "a number"
        end = f"to {most:.10g}" if whole or high is not None else "on"
        raise ValueError(f"{finite}must be {what} from {least:.10g} {end}")
    return number


def _overflows(word: str) -> bool:
    """Returns whether a word is a number that float32 has not."""
    try:
        return not abs(float(word)) <= _LARGEST_FLOAT
    except ValueError:
        return False


def write_flags(settings: Any, path: pathlib.Path) -> None:
    """Writes a file for `--flagfile`, with every setting, atomically."""
    lines = [
        f"--{name}={str(x).lower() if isinstance(x, bool) else x}\n"
        for name, x in dataclasses.asdict(settings).items()
    ]
    _files.replace(path, lambda draft: draft.write_text("".join(lines)))


def of_run(kind: type[_Settings], folder: pathlib.Path) -> _Settings:
    """Returns the settings of the run in a folder.

    Raises:
      ValueError: if there is no `config.json`, or one of something else.
    """
    path = folder / "config.json"
    settings = _files.read_settings(path)
    unknown_names = settings.keys() - {
        field.name
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
    }
    if unknown_names:
        raise ValueError(
            f"{path} has settings that {kind.__name__} has not: "
            f"{', '.join(sorted(unknown_names))}. Choose another folder."
        )
    return kind(**settings)


def check_kind(out: pathlib.Path, *, is_sweep: bool) -> None:
    """Raises a ValueError if a folder holds a run in a sweep's place, or so.

    Args:
      out: the folder of what is to come.
      is_sweep: whether that is a sweep.
    """
    path = out / "config.json"
    if not path.exists():
        return
    # A sweep has a list of them, as words.
    holds_sweep = isinstance(_files.read_settings(path).get("seed"), str)
    if holds_sweep != is_sweep:
        names = {True: "a sweep", False: "a single run"}
        raise ValueError(
            f"{out} must hold {names[is_sweep]} or nothing. Received: "
            f"{names[holds_sweep]}. Choose another folder."
        )


def check_same(
    settings: Any, path: pathlib.Path, *, may_differ: Sequence[str]
) -> None:
    """Raises a ValueError if `config.json` is of a run with other settings.

    One that stopped before it had anything to lose, perhaps because of its
    settings, may be begun again with others.

    Args:
      settings: of the run to come.
      path: of the file, if there is one.
      may_differ: names of what a resumed run may change.
    """
    if not path.exists():
        _check_nothing_to_lose(path.parent)
        return
    # What a run of an earlier version had no setting for was as by default.
    old = {f.name: f.default for f in dataclasses.fields(settings)}
    old |= _files.read_settings(path)
    now = dataclasses.asdict(settings)
    strange = [name for name in old if name not in now]
    if strange:
        raise ValueError(
            f"{path.parent} holds a run of another program, or version: this "
            f"one has no setting {', '.join(strange[:3])}. Choose another "
            "folder."
        )
    differing = [
        f"{name} {value!r}, now {now[name]!r}"
        for name, value in old.items()
        if name not in may_differ and now[name] != value
    ]
    if differing and _has_begun(path.parent):
        raise ValueError(
            f"{path.parent} holds a run with other settings: "
            f"{'; '.join(differing)}. Choose another folder, or that run's "
            "settings to resume it."
        )


def _check_nothing_to_lose(folder: pathlib.Path) -> None:
    """Raises a ValueError if a folder without a run has files of one."""
    if _has_begun(folder):
        raise ValueError(
            f"{folder} must hold a run with its config.json, or none. "
            "Received: metrics or checkpoints without it, which may be of "
            "other settings. Restore it, or choose another folder."
        )


def _has_begun(folder: pathlib.Path) -> bool:
    """Returns whether a run has left numbers or weights in its folder."""
    checkpoints = folder / "checkpoints"
    return (folder / "metrics.csv").exists() or any(checkpoints.glob("*"))
