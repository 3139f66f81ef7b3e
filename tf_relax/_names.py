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
    close = difflib.get_close_matches(str(name), names, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"Unknown {kind} {name!r}.{hint} Available: {', '.join(names)}."
