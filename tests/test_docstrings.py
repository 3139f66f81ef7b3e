"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr

# What a module may import that not everybody has installed.
_OPTIONAL = ("gymnasium", "matplotlib")


def _modules():
    yield "tf_relax"
    for module in pkgutil.walk_packages(tfr.__path__, "tf_relax."):
        yield module.name


@pytest.mark.parametrize("name", list(_modules()))
def test_examples_run(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name not in _OPTIONAL:
            raise
        pytest.skip(f"needs {error.name}")
    results = doctest.testmod(
        module,
        extraglobs={"np": np, "tf": tf, "tfr": tfr},
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS,
    )
    assert results.failed == 0, "see the captured output"


def _own(x):
    return str(getattr(x, "__module__", "")).startswith("tf_relax")


def _walk(package, seen):
    """Yields (name, object) of what is public, down to methods."""
    for name, x in vars(package).items():
        if name.startswith("_") or id(x) in seen:
            continue
        if inspect.ismodule(x) and x.__name__.startswith("tf_relax."):
            seen.add(id(x))
            yield x.__name__, x
            yield from _walk(x, seen)
        elif callable(x) and _own(x):
            seen.add(id(x))
            yield f"{package.__name__}.{name}", x
            if inspect.isclass(x):
                yield from _members(f"{package.__name__}.{name}", x)


def _members(prefix, kind):
    for name, x in vars(kind).items():
        x = x.fget if isinstance(x, property) else getattr(x, "__func__", x)
        if not name.startswith("_") and inspect.isfunction(x) and _own(x):
            yield f"{prefix}.{name}", x


def _public():
    packages = [tfr, *map(importlib.import_module, _BESIDE)]
    seen = set()
    for package in packages:
        yield package.__name__, package
        yield from _walk(package, seen)


# Public packages that `import tf_relax` does not import.
_BESIDE = ["tf_relax.experiments", "tf_relax.rl"]
_PUBLIC = dict(_public())


def _documentation(x):
    """Returns the docstring; of a class with its constructor's and bases'."""
    kinds = [k for k in x.__mro__ if _own(k)] if inspect.isclass(x) else [x]
    texts = [y.__doc__ for k in kinds for y in (k, vars(k).get("__init__"))]
    return "\n".join(text for text in texts if text)


def _parameters(x):
    x = vars(x).get("__init__") if inspect.isclass(x) else x
    if not inspect.isfunction(x):
        return []
    return [
        p.name
        for p in inspect.signature(x).parameters.values()
        if p.name not in ("self", "cls") and p.kind != p.VAR_KEYWORD
    ]


def _refers(x):
    """Returns whether the documentation is that of another, which it names."""
    return bool(re.search(r"\b[Ss]ee `", _documentation(x)))


def _source(x):
    x = vars(x).get("__init__") if inspect.isclass(x) else x
    generated = getattr(x, "__qualname__", "").startswith("__create_fn__")
    try:
        return inspect.getsource(x) if inspect.isfunction(x) else ""
    except OSError:  # Of a dataclass.
        assert not generated
        return ""


def _is_method(x):
    return inspect.isfunction(x) and "." in x.__qualname__


def _undocumented(x):
    """Yields arguments that are missing where there should be all of them.

    A short method may do without.
    """
    text = _documentation(x)
    if _refers(x):
        return
    if _is_method(x) and "Args:" not in text:
        return
    for name in _parameters(x):
        if not re.search(rf"\b{name}\b", text):
            yield name


def test_what_is_public_has_a_docstring():
    for name, x in _PUBLIC.items():
        assert x.__doc__, name
        assert len(x.__doc__.strip().splitlines()[0]) <= 80, name


def test_docstrings_have_every_argument():
    missing = {
        name: list(_undocumented(x))
        for name, x in _PUBLIC.items()
        # Settings are documented where their flags are.
        if not inspect.ismodule(x) and "tf_relax.experiments" not in name
    }
    assert not {name: found for name, found in missing.items() if found}


def test_docstrings_say_what_functions_return():
    silent = [
        name
        for name, x in _PUBLIC.items()
        if inspect.isfunction(x)
        and not _is_method(x)
        and not _refers(x)
        and inspect.signature(x).return_annotation is not None
        and not re.search(r"\b(returns?|yields?|context)\b", x.__doc__, re.I)
    ]
    assert not silent


def test_docstrings_say_what_is_raised():
    raising = re.compile(r"^ +raise (?!NotImplementedError)\w+Error\(", re.M)
    silent = [
        name
        for name, x in _PUBLIC.items()
        if raising.search(_source(x))
        and not _refers(x)
        and "aises" not in _documentation(x)
    ]
    assert not silent
