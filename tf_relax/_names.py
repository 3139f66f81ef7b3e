"""What to say when a name is unknown."""

from collections.abc import Iterable
import difflib


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Returns the message: the closest name, and all there are.

    Args:
      kind: what the name is of, such as "estimator".
      name: what was received.
      known: the names there are.
    """
    names = sorted(known)
    return (
        f"Unknown {kind} {name!r}.{closest(name, names)} Available: "
        f"{', '.join(names)}."
    )


def closest(name: object, known: Iterable[str]) -> str:
    """Returns a question with the closest name, or nothing."""
    close = difflib.get_close_matches(str(name), sorted(known), 1)
    return f" Did you mean {close[0]!r}?" if close else ""
