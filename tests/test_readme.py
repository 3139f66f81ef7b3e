"""README's code runs and prints what it says; its tables are results'."""

import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_README = (_ROOT / "README.md").read_text()
_BLOCKS = re.findall(r"```python\n(.*?)```", _README, re.DOTALL)


def test_code_runs_and_prints_what_its_comments_say():
    namespace = {}  # The blocks build on one another: one test, one process.
    for index, block in enumerate(_BLOCKS):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, f"README block {index}", "exec"), namespace)
        said = re.findall(r"^print\(.*?\)  # (.*)$", block, re.MULTILINE)
        lines = printed.getvalue().splitlines()
        lines = lines[len(lines) - len(said) :]  # Behind Keras' progress bars.
        for line, expected in zip(lines, said, strict=True):
            assert expected.startswith(line), f"block {index}"


def test_tables_are_those_of_results():
    command = [sys.executable, str(_ROOT / "bin" / "tables.py"), "--check"]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    assert result.returncode == 0, result.stderr


def test_named_files_exist():
    for path in re.findall(r"\]\((?!https?:)([^)#]+)\)", _README):
        assert (_ROOT / path).exists(), path
    for path in re.findall(r"\b(?:bin|results)/[\w/]+\.\w+", _README):
        assert (_ROOT / path).exists(), path
