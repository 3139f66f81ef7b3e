"""Settings of experiments: dataclasses whose fields know their bounds.

The binaries make their flags out of them, so that a setting is written down
once: its name, default, help and bounds.
"""

from collections.abc import Sequence
import dataclasses
import math
import pathlib
import sys
from typing import Any, TypeVar

from tf_relax.experiments import _files

_Settings = TypeVar("_Settings")


def setting(
    default: Any,
    text: str,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
) -> Any:
    """Returns a dataclass field with help text and inclusive bounds."""
    metadata = {
        "help": text,
        "lower_bound": lower_bound,
        "upper_bound": upper_bound,
    }
    return dataclasses.field(default=default, metadata=metadata)


def define_flags(settings: type[Any]) -> None:
    """Defines an absl flag for each field of a settings class."""
    from absl import flags  # A library must not define flags by itself.

    for field in dataclasses.fields(settings):
        text = field.metadata["help"]
        bounds = {
            name: field.metadata[name]
            for name in ("lower_bound", "upper_bound")
        }
        if field.type in (bool, "bool"):
            flags.DEFINE_boolean(field.name, field.default, text)
        elif field.type in (int, "int"):
            flags.DEFINE_integer(field.name, field.default, text, **bounds)
        elif field.type in (float, "float"):
            flags.DEFINE_float(field.name, field.default, text, **bounds)
            flags.register_validator(field.name, math.isfinite, "not finite")
        else:
            flags.DEFINE_string(field.name, field.default, text)
        # Key flags of the program are those that --help shows.
        flags.FLAGS.register_key_flag_for_module(
            sys.argv[0], flags.FLAGS[field.name]
        )


def from_flags(settings: type[_Settings]) -> _Settings:
    """Returns the settings that the command line gave."""
    from absl import flags

    names = [field.name for field in dataclasses.fields(settings)]  # type: ignore[arg-type]
    return settings(**{name: flags.FLAGS[name].value for name in names})


def write_flags(settings: Any, path: pathlib.Path) -> None:
    """Writes a file for `--flagfile`, with every setting, atomically."""
    lines = [
        f"--{name}={str(x).lower() if isinstance(x, bool) else x}\n"
        for name, x in dataclasses.asdict(settings).items()
    ]
    _files.replace(path, lambda draft: draft.write_text("".join(lines)))


def check_same(
    settings: Any, path: pathlib.Path, *, may_differ: Sequence[str]
) -> None:
    """Raises a ValueError if `config.json` is of a run with other settings.

    Args:
      settings: of the run to come.
      path: of the file, if there is one.
      may_differ: names of what a resumed run may change.
    """
    if not path.exists():
        return
    # What a run of an earlier version had no setting for was as by default.
    old = {f.name: f.default for f in dataclasses.fields(settings)}
    old |= _files.read_json(path)["settings"]
    now = dataclasses.asdict(settings)
    differing = [
        f"{name} {value!r}, now {now.get(name, 'no such setting')!r}"
        for name, value in old.items()
        if name not in may_differ and (name not in now or now[name] != value)
    ]
    if differing:
        raise ValueError(
            f"{path.parent} holds a run with other settings: "
            f"{'; '.join(differing)}. Choose another folder, or that run's "
            "settings to resume it."
        )
