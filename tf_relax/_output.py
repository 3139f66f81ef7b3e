"""Files that are whole or not there, and CSV."""

from collections.abc import Callable, Iterable, Mapping
import csv
import errno
import io
import os
import pathlib
from typing import Any

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def replace(
    path: pathlib.Path,
    write: Callable[[pathlib.Path], Any],
    *,
    before: pathlib.Path | None = None,
) -> None:
    """Writes a file under another name and moves it into place.

    Whenever the process or the machine stops, there is the old file or the
    new one; with `before`, at the least the file that was there before.

    Args:
      path: of the file; its folder is made.
      write: is given a path with the same suffix, and writes it.
      before: where the file that was at `path` goes. Default: nowhere.

    Raises:
      OSError: if it cannot be written; says so of a disk that is full.
    """
    draft = path.with_name(f".{path.stem}.draft{path.suffix}")
    try:
        _make_folder(path.parent)
        write(draft)
        _sync(draft)
        if before is not None and path.exists():
            os.replace(path, before)
        os.replace(draft, path)
        _sync(path.parent)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise no_space(path) from error
    finally:
        draft.unlink(missing_ok=True)


def no_space(path: pathlib.Path) -> OSError:
    """Returns the error of a disk that is full."""
    return OSError(
        f"No space is left to write {path}. What was written before is whole. "
        "Make room, and give the same command again."
    )


def remove_drafts(folder: pathlib.Path) -> None:
    """Removes what writes that were killed have left in a folder."""
    for draft in folder.rglob(".*.draft*"):
        draft.unlink()


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


def rows_until(path: pathlib.Path, epoch: int) -> list[dict[str, Any]]:
    """Returns the rows of a CSV file up to an epoch, none if there is no file.

    Those behind it are of epochs that a resumed run makes again.
    """
    return [dict(r) for r in read_csv(path) if int(r["epoch"]) <= epoch]


def _make_folder(folder: pathlib.Path) -> None:
    """Makes a folder that a stop of the machine does not take away."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(path: pathlib.Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows does not open folders.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
