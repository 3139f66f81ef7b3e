"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
import pkgutil

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


def _public():
    """Yields (name, object) of what a public package has."""
    for package in [tfr, *map(importlib.import_module, _PUBLIC_PACKAGES)]:
        for name, x in vars(package).items():
            if callable(x) and not name.startswith("_"):
                yield f"{package.__name__}.{name}", x


_PUBLIC_PACKAGES = [
    "tf_relax.control_variates",
    "tf_relax.diagnostics",
    "tf_relax.distributions",
    "tf_relax.estimators",
    "tf_relax.testing",
]


@pytest.mark.parametrize(
    "x", [pytest.param(x, id=name) for name, x in _public()]
)
def test_what_is_public_has_a_docstring(x):
    assert x.__doc__
    assert len(x.__doc__.strip().splitlines()[0]) <= 80
