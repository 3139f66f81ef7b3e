"""Tables in Markdown."""

from collections.abc import Sequence
from typing import Any


def table_of(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Returns a table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
