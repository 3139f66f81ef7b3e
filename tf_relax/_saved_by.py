"""Files say which version of tf_relax wrote them; others are refused."""

from tf_relax._version import __version__

KEY = "tf_relax_version"
_FIRST = "0.1.0"  # Its first files did not say.


def check_saved_by(version: str | None) -> None:
    """Raises a ValueError if a file is of another version of tf_relax.

    Versions that differ in their last number only read each other's files.

    Args:
      version: what the file says; None if it says nothing.
    """
    found = _FIRST if version is None else version
    if _series(found) != _series(__version__):
        raise ValueError(
            f"A file must be of tf_relax {_series(__version__)}. Received: one "
            f"of tf_relax {found}. Install that version to read it, or train "
            "again."
        )


def _series(version: str) -> str:
    return ".".join(version.split(".")[:2])
