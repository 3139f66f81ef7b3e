"""What tf_relax needs, checked before anything heavy is imported.

`setup.py` reads `RANGES` out of this file, so pip and the check at import
cannot disagree.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import warnings

from tf_relax import _quiet_import

# Tested releases: the lower bound included, the upper one excluded.
RANGES = {
    "tensorflow": ">=2.20,<2.22",
    "keras": ">=3.12,<4",
    "tensorflow-probability": ">=0.25,<0.26",
    "tf-keras": ">=2.20,<2.22",
}

# Names under which a package that is imported as `tensorflow`, `keras`, ...
# may be installed. The first that is found counts.
_BUILDS = {
    "tensorflow": (
        "tensorflow",
        "tensorflow-cpu",
        "tensorflow-rocm",
        "tensorflow-cpu-aws",
        "intel-tensorflow",
        "tf-nightly",
        "tf-nightly-cpu",
    ),
    "keras": ("keras", "keras-nightly"),
    "tensorflow-probability": ("tensorflow-probability", "tfp-nightly"),
    "tf-keras": ("tf-keras", "tf-keras-nightly"),
}


def check() -> None:
    """Imports the packages below tf_relax, quietly, once they are known good.

    Costs a few milliseconds where it fails: no package is imported before its
    version is known.

    Raises:
      ImportError: with one line that says what to install or to set.
    """
    _check_backend()
    for name in ("tensorflow", "keras", "tensorflow-probability"):
        _check_version(name, RANGES[name])
    _check_version("tf-keras", _tf_keras_range())
    _check_distutils()
    _quiet_import.import_packages()


def _check_backend() -> None:
    backend, remedy = _keras_backend()
    if backend != "tensorflow":
        raise ImportError(
            "tf_relax needs the Keras backend 'tensorflow'. "
            f"Received: {backend!r}. {remedy}"
        )


def _keras_backend() -> tuple[str, str]:
    """Returns the backend Keras has or will take, and how to change it.

    The order is Keras' own. Asking Keras itself would import the backend,
    which may be missing.
    """
    export = "`export KERAS_BACKEND=tensorflow`"
    from_file, path = _backend_from_file()
    if "keras" in sys.modules:
        backend = sys.modules["keras"].config.backend()
        remedy = f"Run {export}, then start Python anew."
    elif os.environ.get("KERAS_BACKEND"):
        backend = os.environ["KERAS_BACKEND"]
        remedy = f"Run {export}."
    else:
        backend = from_file
        remedy = f'Run {export}, or set "backend": "tensorflow" in {path}.'
    return backend, remedy


def _backend_from_file() -> tuple[str, str]:
    home = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
    path = os.path.expanduser(os.path.join(home, "keras.json"))
    try:
        with open(path, encoding="utf-8") as file:
            backend = json.load(file).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        backend = "tensorflow"  # No such file, or one that Keras ignores.
    return backend, path


def _check_version(name: str, wanted: str) -> None:
    """Raises if the installed `name` is missing or not in the range `wanted`.

    A nightly build or one without metadata has no release number to compare:
    it is let through with a warning.
    """
    build, version = _installed(name)
    if version is None:
        found = f"no {name}"
    else:
        found = f"{build} {version}"
    if version is not None and (version == "unknown" or ".dev" in version):
        warnings.warn(
            f"tf_relax is tested with {name}{wanted}. Received: {found}.",
            stacklevel=2,
        )
    elif version is None or not _in_range(version, wanted):
        raise ImportError(
            f"tf_relax needs {name}{wanted}. Received: {found}. "
            f"Run `{_pip_command(name, build, wanted)}`."
        )


def _installed(name: str) -> tuple[str, str | None]:
    """Returns the build of `name` that is installed and its version, if any."""
    for build in _BUILDS[name]:
        try:
            return build, importlib.metadata.version(build)
        except importlib.metadata.PackageNotFoundError:
            continue
    is_there = importlib.util.find_spec(name.replace("-", "_")) is not None
    return name, "unknown" if is_there else None


def _in_range(version: str, wanted: str) -> bool:
    lower, upper = re.findall(r"[0-9.]+", wanted)
    return _release(lower) <= _release(version) < _release(upper)


def _release(version: str) -> tuple[int, ...]:
    """Returns `(2, 21, 0)` for "2.21.0", "2.21.0rc1" and "2.21.0+local"."""
    number = re.split(r"[^0-9.]", version)[0]
    return tuple(int(part) for part in re.findall(r"[0-9]+", number))


def _tf_keras_range() -> str:
    """Returns the one minor release of tf-keras made for this TensorFlow."""
    _, version = _installed("tensorflow")
    if version is None or not _in_range(version, RANGES["tensorflow"]):
        wanted = RANGES["tf-keras"]  # A nightly build.
    else:
        major, minor = _release(version)[:2]
        wanted = f">={major}.{minor},<{major}.{minor + 1}"
    return wanted


def _pip_command(name: str, build: str, wanted: str) -> str:
    packages = [f"'{build}{wanted}'"]
    if name == "tensorflow":  # A tf-keras for the old one would not do.
        packages.append(f"'tf-keras{RANGES['tf-keras']}'")
    return " ".join(["python -m pip install", *packages])


def _check_distutils() -> None:
    """Raises if `distutils` is missing, which TFP 0.25 imports.

    Python has not had it since 3.12; setuptools brings a copy.
    """
    if importlib.util.find_spec("distutils") is None:
        raise ImportError(
            "tf_relax needs setuptools: TensorFlow Probability imports "
            "distutils. Received: no distutils. "
            "Run `python -m pip install setuptools`."
        )
