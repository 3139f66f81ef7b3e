"""README's code runs and prints what it says; its tables are results'."""

import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_PAGES = [_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md"))]
_README = _PAGES[0].read_text()
_BLOCKS = re.findall(r"```(python|diff)\n(.*?)```", _README, re.DOTALL)
_EXAMPLES = sorted((_ROOT / "examples").glob("*.py"))


def _run(code, name, namespace):
    """Runs code; what it prints is what comments behind `print` say."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), namespace)
    said = re.findall(r"^ *print\(.*?\)\s+# (.*)$", code, re.MULTILINE)
    lines = printed.getvalue().splitlines()
    lines = lines[len(lines) - len(said) :]  # Behind Keras' progress bars.
    for line, expected in zip(lines, said, strict=True):
        assert expected.startswith(line), name


def _before_and_after(diff):
    """Returns the code that a diff starts from, and the code it makes."""
    lines = diff.splitlines()
    assert all(line[:1] in " +-" for line in lines)
    assert [sum(line[:1] == x for line in lines) for x in "-+"] == [1, 1]
    return [
        "\n".join(line[1:] for line in lines if line[:1] in kept)
        for kept in (" -", " +")
    ]


def test_code_runs_and_prints_what_its_comments_say():
    namespace = {}  # The blocks build on one another: one test, one process.
    for index, (kind, block) in enumerate(_BLOCKS):
        if kind == "python":
            _run(block, f"README block {index}", namespace)
            continue
        for code in _before_and_after(block):
            namespace.pop("gradient", None)
            _run(code, f"README block {index}", namespace)
            assert namespace["gradient"].shape == namespace["logits"].shape


def test_lines_of_code_fit_a_page():
    for kind, block in _BLOCKS:
        if kind == "python":
            assert max(map(len, block.splitlines())) <= 80, block


@pytest.mark.parametrize("path", _EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_and_print_what_they_say(path):
    _run(path.read_text(), str(path), {"__name__": path.stem})


def test_every_example_is_in_readme():
    for path in _EXAMPLES:
        assert f"](examples/{path.name})" in _README


def test_tables_are_those_of_results():
    command = [sys.executable, str(_ROOT / "bin" / "tables.py"), "--check"]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_named_files_and_headings_exist(page):
    text = page.read_text()
    for path, heading in re.findall(
        r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text
    ):
        target = page.parent / path if path else page
        assert target.exists(), path
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert heading in [x.lower().replace(" ", "-") for x in titles]
    for path in re.findall(r"\b(?:bin|results|examples)/[\w/]+\.\w+", text):
        assert (_ROOT / path).exists(), path
