"""What --help and --helpshort print: 80 columns, in sections."""

from collections.abc import Iterable, Sequence
import dataclasses
import textwrap
from typing import Any

_WIDTH = 79
_INDENT = 28  # Of the texts, right of the flags.
_FEW = 8  # Choices that are written out in the short help.

_ALWAYS = (
    ("--flagfile=", "File of flags, one a line, as a run's flags.txt."),
    ("--helpshort, --help", "This list, without or with all details."),
    ("--helpfull", "Also the flags of absl, such as --verbosity."),
)


def page(
    command: str,
    doc: str,
    kinds: Iterable[type[Any]],
    argument: str,
    *,
    short: bool,
) -> str:
    """Returns the help of a program.

    Args:
      command: how it was called.
      doc: the docstring of its module.
      kinds: settings classes of its flags.
      argument: name of the word that it wants besides; empty: none.
      short: whether only the doc's first paragraph is shown, and long lists
        of choices are left out.
    """
    fields = [field for kind in kinds for field in dataclasses.fields(kind)]
    usage = [
        f"Usage: {command}",
        *([argument] if argument else []),
        *(f"--{x.name}=..." for x in fields if x.metadata["required"]),
        "[flags]",
    ]
    doc = doc.strip().partition("\n\n")[0] if short else doc.strip()
    lines = [doc, "", " ".join(usage), "", "Flags and their defaults:"]
    for field in fields:
        if field.metadata["section"]:
            lines += ["", field.metadata["section"]]
        lines += _entry(_left(field), _text(field, short))
    lines += ["", "Always"]
    for left, text in _ALWAYS:
        lines += _entry(left, text)
    return "\n".join(lines) + "\n"


def _left(field: dataclasses.Field[Any]) -> str:
    if field.type in (bool, "bool"):
        return f"--[no]{field.name}"
    default = "..." if field.metadata["required"] else field.default
    if isinstance(default, float):
        default = f"{default:g}"
    return f"--{field.name}={default}"


def _text(field: dataclasses.Field[Any], short: bool) -> str:
    """Returns the help of a flag: what it is, and what it may be."""
    parts = [field.metadata["help"]]
    choices: Sequence[str] = field.metadata["choices"]
    if choices:
        listed = ", ".join(choices)
        if short and len(choices) > _FEW:
            listed = f"{len(choices)} names, see --help"
        parts.append(
            f"{'Some' if field.metadata['several'] else 'One'} of {listed}."
        )
    if field.metadata["layered"]:
        parts.append("Or one for each layer, as disarm+leave_one_out.")
    low, high = (field.metadata[f"{x}_bound"] for x in ("lower", "upper"))
    if low is not None and high is not None:
        parts.append(f"From {low:g} to {high:g}.")
    elif low is not None:
        parts.append(f"At least {low:g}.")
    if field.type in (bool, "bool"):
        parts.append(f"Default: {str(field.default).lower()}.")
    if field.metadata["required"]:
        parts.append("Required.")
    return " ".join(parts)


def _entry(left: str, text: str) -> list[str]:
    """Returns the lines of a flag: itself on the left, its text beside it."""
    lines = textwrap.wrap(
        text,
        _WIDTH - _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    left = f"  {left}"
    if len(left) < _INDENT - 1:
        left += " " * (_INDENT - len(left)) + lines.pop(0)
    return [left, *(" " * _INDENT + line for line in lines)]
