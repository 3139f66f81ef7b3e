"""Files that are whole or not there, and CSV."""

from collections.abc import Callable, Iterable, Mapping
import csv
import io
import os
import pathlib
from typing import Any


def replace(path: pathlib.Path, write: Callable[[pathlib.Path], Any]) -> None:
    """Writes a file under another name and moves it into place.

    Args:
      path: of the file; its folder is made.
      write: is given a path with the same suffix, and writes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.draft{path.suffix}")
    write(draft)
    with open(draft, "rb") as file:
        os.fsync(file.fileno())
    os.replace(draft, path)


def write_csv(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows, atomically; a cell that a row lacks is empty."""
    rows = list(rows)
    columns = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns))
    writer.writeheader()
    writer.writerows(rows)
    replace(path, lambda draft: draft.write_text(text.getvalue()))


def read_csv(path: pathlib.Path) -> list[dict[str, str]]:
    """Returns the rows of a CSV file, none if there is no file."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
