"""`import tf_relax`: quiet, light, and one clear line where it cannot work.

Most cases run in a simulated machine: Python without its site-packages, and a
folder with empty packages and made-up metadata in their place.
"""

import ast
import importlib
import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import sys

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
import pytest

from tf_relax import _requirements

_PACKAGE = pathlib.Path(_requirements.__file__).parent

_GOOD = {
    "tensorflow": "2.21.0",
    "keras": "3.15.1",
    "tensorflow-probability": "0.25.0",
    "tf-keras": "2.21.0",
}
_MODULES = {
    "tensorflow": "",
    "keras": "class config:\n  backend = lambda: 'jax'",
    "tensorflow_probability": "distributions = None",
    "tf_keras": "",
    "distutils": "",
}

_CHECK = """
import sys
from tf_relax import _requirements
try:
    _requirements.check()
except ImportError as error:
    print(error)
    # Said before anything heavy is imported.
    assert "tensorflow" not in sys.modules
"""


class Machine:
    """A folder that stands in for site-packages."""

    def __init__(self, path):
        self.path = path
        package = path / "tf_relax"
        package.mkdir()
        (package / "__init__.py").touch()
        for name in ("_requirements.py", "_quiet_import.py"):
            (package / name).symlink_to(_PACKAGE / name)
        for name, text in _MODULES.items():
            self.write_module(name, text)
        for name, version in _GOOD.items():
            self.install(name, version)

    def install(self, name, version):
        self.remove_metadata(name)
        folder = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")

    def remove_metadata(self, name):
        for folder in self.path.glob(f"{name.replace('-', '_')}-*.dist-info"):
            (folder / "METADATA").unlink()
            folder.rmdir()

    def remove(self, name):
        self.remove_metadata(name)
        (self.path / name.replace("-", "_") / "__init__.py").unlink()
        (self.path / name.replace("-", "_")).rmdir()

    def write_module(self, name, text):
        (self.path / name).mkdir(exist_ok=True)
        (self.path / name / "__init__.py").write_text(text)

    def run(self, code=_CHECK, **env):
        env = {"HOME": str(self.path), "PYTHONPATH": str(self.path), **env}
        return _run("-S", "-c", code, env=env, cwd=self.path)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def _run(*args, env, cwd=_PACKAGE.parent):
    """Runs Python as a user would who has set nothing but `env`."""
    ours = ("KERAS_", "PYTHON", "TF_")
    rest = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-B", *args],
        env=rest | env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
    )


def _one_line(process):
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    (line,) = process.stdout.splitlines()
    return line


def _assert_passes(process):
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_real_import_prints_nothing_and_brings_no_optional_package():
    # Keras imports matplotlib by itself where it can: None makes it absent.
    code = (
        "import sys; sys.modules.update(matplotlib=None, gymnasium=None)\n"
        "import tf_relax; tf_relax.__version__"
    )
    _assert_passes(_run("-W", "error", "-c", code, env={}))


def test_real_import_checks_first():
    process = _run("-c", "import tf_relax", env={"KERAS_BACKEND": "jax"})
    assert process.stderr.splitlines()[-1] == (
        "ImportError: tf_relax needs the Keras backend 'tensorflow'. "
        "Received: 'jax'. Run `export KERAS_BACKEND=tensorflow`."
    )


def test_tested_versions_pass(machine):
    _assert_passes(machine.run())


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tensorflow", "2.21.1rc0"),
        ("tensorflow", "2.21.0+nv26.1"),
        ("keras", "3.12"),
        ("keras", "3.99.0"),
        ("tensorflow-probability", "0.25.1"),
        ("tf-keras", "2.21.3"),
    ],
)
def test_other_releases_within_the_ranges_pass(machine, name, version):
    machine.install(name, version)
    _assert_passes(machine.run())


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tensorflow", "2.19.1"),
        ("tensorflow", "2.22.0rc0"),
        ("tensorflow", "3.0.0"),
        ("keras", "2.15.0"),
        ("keras", "3.9.2"),
        ("keras", "4.0.0"),
        ("tensorflow-probability", "0.24.0"),
        ("tensorflow-probability", "0.26.0"),
        ("tf-keras", "2.20.1"),
    ],
)
def test_release_outside_its_range(machine, name, version):
    machine.install(name, version)
    line = _one_line(machine.run())
    wanted = (
        _requirements.RANGES[name] if name != "tf-keras" else ">=2.21,<2.22"
    )
    assert line.startswith(
        f"tf_relax needs {name}{wanted}. Received: {name} {version}. "
        f"Run `python -m pip install '{name}{wanted}'"
    )


@pytest.mark.parametrize("name", _GOOD)
def test_missing_package(machine, name):
    machine.remove(name)
    line = _one_line(machine.run())
    assert f"Received: no {name}. Run `python -m pip install '{name}>=" in line


def test_new_tensorflow_comes_with_its_tf_keras(machine):
    machine.install("tensorflow", "2.19.0")
    assert _one_line(machine.run()).endswith(
        "Run `python -m pip install 'tensorflow>=2.20,<2.22' "
        "'tf-keras>=2.20,<2.22'`."
    )


def test_tf_keras_must_match_tensorflow(machine):
    machine.install("tensorflow", "2.20.0")
    assert _one_line(machine.run()) == (
        "tf_relax needs tf-keras>=2.20,<2.21. Received: tf-keras 2.21.0. "
        "Run `python -m pip install 'tf-keras>=2.20,<2.21'`."
    )


@pytest.mark.parametrize("build", ["tensorflow-cpu", "tensorflow-rocm"])
def test_other_builds_of_tensorflow(machine, build):
    machine.remove_metadata("tensorflow")
    machine.install(build, "2.21.0")
    _assert_passes(machine.run())
    machine.install(build, "2.19.0")
    line = _one_line(machine.run())
    assert f"Received: {build} 2.19.0." in line
    assert f"'{build}>=2.20,<2.22'" in line


def test_nightly_build_passes_with_a_warning(machine):
    machine.remove_metadata("tensorflow")
    machine.install("tf-nightly", "2.23.0.dev20270101")
    process = machine.run()
    assert process.returncode == 0
    assert (
        "UserWarning: tf_relax is tested with tensorflow>=2.20,<2.22. "
        "Received: tf-nightly 2.23.0.dev20270101." in process.stderr
    )


def test_build_without_metadata_passes_with_a_warning(machine):
    machine.remove_metadata("tensorflow")
    process = machine.run()
    assert process.returncode == 0
    assert "Received: tensorflow unknown." in process.stderr


def test_backend_from_the_environment(machine):
    assert _one_line(machine.run(KERAS_BACKEND="torch")) == (
        "tf_relax needs the Keras backend 'tensorflow'. Received: 'torch'. "
        "Run `export KERAS_BACKEND=tensorflow`."
    )


@pytest.mark.parametrize("home", [".keras", "elsewhere"])
def test_backend_from_the_file(machine, home):
    folder = machine.path / home
    folder.mkdir()
    (folder / "keras.json").write_text('{"backend": "jax"}')
    env = {} if home == ".keras" else {"KERAS_HOME": str(folder)}
    line = _one_line(machine.run(**env))
    assert "Received: 'jax'." in line
    assert f'set "backend": "tensorflow" in {folder}/keras.json.' in line
    _assert_passes(machine.run(KERAS_BACKEND="tensorflow", **env))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"backend": "tensorflow"}'])
def test_file_that_names_no_other_backend(machine, text):
    (machine.path / ".keras").mkdir()
    (machine.path / ".keras" / "keras.json").write_text(text)
    _assert_passes(machine.run())


def test_backend_of_a_keras_that_is_imported_already(machine):
    line = _one_line(machine.run("import keras\n" + _CHECK))
    assert "Received: 'jax'." in line
    assert "start Python anew" in line


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="Python has distutils itself."
)
def test_missing_distutils(machine):
    machine.remove("distutils")
    assert _one_line(machine.run()) == _NO_DISTUTILS


def test_message_on_missing_distutils(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError) as error:
        _requirements._check_distutils()
    assert str(error.value) == _NO_DISTUTILS


_NO_DISTUTILS = (
    "tf_relax needs setuptools: TensorFlow Probability imports distutils. "
    "Received: no distutils. Run `python -m pip install setuptools`."
)

_CHATTY = r'''
import os, sys, warnings
warnings.warn("For TensorFlow's authors.", DeprecationWarning)
warnings.warn("For the user.", RuntimeWarning)
sys.stderr.write("from Python\n")
os.write(2, b"""\
WARNING: All log messages before absl::InitializeLog() is called are written
I0000 00:00:1700000000.123456    4210 port.cc:153] oneDNN is on.
2026-01-31 12:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN is on.
To enable the following instructions: AVX2, rebuild TensorFlow.
E0000 00:00:1700000000.123456    4210 cuda.cc:1] broken
2026-01-31 12:00:00.123456: W tensorflow/core/util/port.cc:1] old
Impossible
""")
'''


@pytest.mark.parametrize("level", [{}, {"TF_CPP_MIN_LOG_LEVEL": "3"}])
def test_only_news_is_held_back(machine, level):
    machine.write_module("tensorflow", _CHATTY)
    lines = machine.run(**level).stderr.splitlines()
    assert "RuntimeWarning: For the user." in lines[0]
    assert [line.split("] ")[-1] for line in lines[-4:]] == [
        "from Python",
        "broken",
        "old",
        "Impossible",
    ]
    assert len(lines) <= 6


def test_stderr_is_passed_on_when_the_import_fails(machine):
    machine.write_module("tensorflow", _CHATTY + "\n1 / 0")
    process = machine.run()
    assert process.returncode == 1
    assert "broken" in process.stderr
    assert process.stderr.splitlines()[-1].startswith("ZeroDivisionError")


def test_log_level_zero_shows_everything(machine):
    machine.write_module("tensorflow", _CHATTY)
    process = machine.run(TF_CPP_MIN_LOG_LEVEL="0")
    assert process.stderr.count("oneDNN is on") == 2


def test_closed_stderr(machine):
    code = "import os, sys; os.close(2); sys.stderr = None\n" + _CHECK
    _assert_passes(machine.run(code))


def test_environment_is_left_alone(machine):
    code = "import os; before = dict(os.environ)" + _CHECK
    _assert_passes(machine.run(code + "assert before == dict(os.environ)"))


def test_pip_asks_for_the_same_ranges():
    try:
        requires = importlib.metadata.requires("tf_relax")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("tf_relax is not installed: there is no metadata.")
    found = {
        r.name: r.specifier for r in map(Requirement, requires) if not r.extras
    }
    for name, wanted in _requirements.RANGES.items():
        assert found[name] == SpecifierSet(wanted)


def test_console_scripts_are_the_binaries():
    tree = ast.parse((_PACKAGE.parent / "setup.py").read_text())
    (scripts,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_SCRIPTS"
    )
    assert {"tf-relax-vae", "tf-relax-rl", "tf-relax-toy"} < set(scripts)
    for module in scripts.values():
        own = importlib.import_module(f"tf_relax.commands.{module}")
        assert own.main == own.PROGRAM.main
        binary = (_PACKAGE.parent / "bin" / f"{module}.py").read_text()
        assert f"from tf_relax.commands.{module} import main" in binary


def test_nothing_but_the_standard_library_is_needed_to_check(machine):
    code = _CHECK + "print(*{m.split('.')[0] for m in sys.modules})"
    machine.remove("keras")
    modules = set(machine.run(code).stdout.splitlines()[1].split())
    assert modules - sys.stdlib_module_names <= {"tf_relax", "__main__"}
