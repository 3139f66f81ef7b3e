"""The programs in this process: help, mistakes, and runs made again."""

import dataclasses
import importlib
import json
import pathlib
import types
from unittest import mock

from absl import flags
from absl import logging
import few_images
import pytest
import tensorflow as tf
import test_bin

from tf_relax import datasets
from tf_relax import experiments
from tf_relax.commands import _help
from tf_relax.experiments import _files
from tf_relax.experiments import _settings

_BIN = pathlib.Path(__file__).resolve().parent.parent / "bin"
_PROGRAMS = sorted(path.stem for path in _BIN.glob("*.py"))
_NUMBERS = (int, float)


def _program(name):
    return importlib.import_module(f"tf_relax.commands.{name}").PROGRAM


def _call(name, *arguments):
    """Runs a program on flags of its own, as its `main` does on absl's."""
    values = flags.FlagValues()
    words = _program(name).parse([name, *map(str, arguments)], values)
    _program(name).call(words, values)


def _fields(name):
    return [x for k in _program(name)._kinds() for x in dataclasses.fields(k)]


@pytest.mark.parametrize("name", _PROGRAMS)
def test_help_is_short_or_whole_and_80_columns_wide(name, capsys):
    pages = {}
    for flag in ("--helpshort", "--help"):
        with pytest.raises(SystemExit) as end:
            _call(name, flag)
        assert end.value.code == 0
        pages[flag] = capsys.readouterr().out
        assert max(map(len, pages[flag].splitlines())) <= 80
    assert len(pages["--helpshort"].splitlines()) <= 120
    doc = _program(name).doc
    assert doc.partition("\n")[0] in pages["--helpshort"]
    assert doc.splitlines()[2] in pages["--help"]
    for field in _fields(name):
        left = _help._left(field)
        assert all(f"  {left}" in page for page in pages.values())


@pytest.mark.parametrize("name", _PROGRAMS)
def test_every_number_has_bounds_and_every_flag_a_sentence(name):
    for field in _fields(name):
        assert field.metadata["help"].endswith("."), field.name
        if field.type in _NUMBERS:
            assert field.metadata["lower_bound"] is not None, field.name
            _settings.parse(field, str(field.default))  # Within them.
        if field.type is bool:
            assert "Default: " in _help._text(field, short=True)


def test_help_names_the_command_that_was_called():
    page = _help.page(
        "tf-relax-toy", "Runs.", _program("toy")._kinds(), "", short=True
    )
    assert "Usage: tf-relax-toy --out=... [flags]" in page
    assert "names, see --help" not in page
    long = _program("train_vae")._kinds()
    assert "names, see --help" in _help.page("x", "X.", long, "", short=True)
    assert "unordered_set" in _help.page("x", "X.", long, "", short=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train_vae --out={new} --estimatr=relax", "Did you mean: estimator"),
        ("train_vae --out={new} --estimator=rellax", "Did you mean 'relax'"),
        ("train_vae --out={new} --estimator=disarm+rebr", "mean 'rebar'"),
        (
            "train_vae --out={new} --batch_size=9 --architecture=linear2 "
            "--estimator=disarm",
            "at a shell, --estimator=disarm+leave_one_out",
        ),
        (
            "train_vae --out={new} --batch_size=9 --estimator=nvil+nvil",
            "2 for 1 layers",
        ),
        ("train_vae --out={new} --variance_of=nvil+rebar", "+rebar'"),
        ("train_vae --out={new} --architecture=lin1", "mean 'linear1'"),
        ("train_vae --out={new} --dataset=mnits", "mean 'mnist'"),
        ("train_vae --out={new} --strategy=mirored", "mean 'mirrored'"),
        ("train_vae --out={new} --variance_of=relax,rebr", "mean 'rebar'"),
        ("train_vae --out={new} --learning_rate_schedule=cosin", "'cosine'"),
        ("train_vae --out={new} --batch_size=0", "whole number from 1"),
        ("train_vae --out={new} --batch_size=1e4", "whole number from 1"),
        ("train_vae --out={new} --seed=99999999999", "to 2147483647"),
        ("train_vae --out={new} --learning_rate=nan", "not finite"),
        ("train_vae --out={new} --learning_rate=1e39", "not finite"),
        ("train_vae --out={new} --learning_rate=-1", "a number from 0 on"),
        ("train_vae --out={new} --learning_rate=fast", "a number from 0"),
        ("train_vae --out={new} --beta2=1", "to 0.999999"),
        ("train_vae --out={new} --coupled=maybe", "must be true or false"),
        ("train_vae --out={new} --data_dir=/no/such/one", "/no/such/one"),
        ("train_vae --out={new} --flagfile={new}", "No such file"),
        ("train_vae --out={new} --flagfile=", "name of a file"),
        ("train_vae --out={new} --flagfile={flags}", "It stands in {flags}"),
        ("train_vae --out={new} --flagfile={binary}", "must be text"),
        ("train_vae --out={new} extra", "Expected flags only"),
        ("train_vae --out=", "must not be empty"),
        ("train_vae", "--out must be given"),
        ("train_vae --out={file}", "must be a folder. Received: the file"),
        ("train_vae --out={file}/x", "{file} is a file"),
        ("sweep --out={new} --estimator=rellax", "Did you mean 'relax'"),
        ("sweep --out={new} --seed=0,0", "each value once"),
        ("sweep --out={new} --learning_rate=1e39", "'1e39' in it"),
        ("sweep --out={folder}", "must be what a run writes"),
        ("toy --out={new} --estimator=reinforce,relx", "mean 'relax'"),
        ("toy --out={new} --target=1e30", "from -1000 to 1000"),
        ("compare --out={new}.csv --problem=blackbox", "mean 'black_box'"),
        ("compare --out={new}.csv --model={file}", "be loaded as a .keras"),
        ("compare --out={run}/summary.json", "must end in .csv"),
        ("compare --out={run}/summary.csv", "replace {run}/summary.json"),
        (
            "eval_vae {file} --out={run}/metrics.csv",
            "replace {run}/metrics.csv",
        ),
        ("eval_vae {file} --out={file}", "must end in .csv"),
        ("compare --out={folder}", "must be a file. Received: the folder"),
        ("benchmark --out={new} --suite=vea", "mean 'vae'"),
        (
            "benchmark --out={new}.csv --steps_per_call=abc",
            "steps_per_call=abc",
        ),
        ("components --out={new}.csv --model={new}", "No model at {new}"),
        ("figures --out={new} --figure=toi", "mean 'toy'"),
        ("figures --out={new} --results={folder}", "the column 'estimator'"),
        ("tables --chek", "Did you mean: check"),
        ("train_rl --out={new} --env=CartPol-v1 --env_backend=tf", "CartPole"),
        ("train_rl --out={new} --activation=rellu", "mean 'relu'"),
        ("train_rl --out={new} --objective=weight", "mean 'weights'"),
        ("train_rl --out={folder}", "must be what a run writes"),
        ("play", "Expected one folder. Received: none"),
        ("play {new}", "No run at {new}"),
        ("play {folder}", "No whole checkpoint is left"),
        ("make_mnist --out={new}", "--data_dir must be given"),
        ("make_mnist --out={new} --data_dir={folder}", "missing train-images"),
        ("eval_vae no.keras", "No model at no.keras"),
        ("eval_vae", "Expected one checkpoint"),
        ("eval_vae {file}", "cannot be loaded as a .keras file"),
        ("eval_vae {folder}", "No model at"),
        ("eval_vae x.keras --split=valid,tset", "mean 'test'"),
    ],
    ids=lambda x: x.partition(" --out={new} ")[2] or x,
)
def test_a_mistake_is_one_message(arguments, message, tmp_path):
    places = {
        name: tmp_path / name
        for name in ("new", "file", "flags", "binary", "folder", "run")
    }
    places["file"].write_text("x")
    places["flags"].write_text("# A comment.\n--architecture=lineer1\n")
    places["binary"].write_bytes(b"\xff\xfe\x00")
    (places["folder"] / "toy").mkdir(parents=True)
    (places["folder"] / "toy" / "metrics.csv").write_text("a,b\n1,2\n")
    for name in ("config.json", "checkpoint.npz"):
        (places["folder"] / name).write_text("{}")
    places["run"].mkdir()
    for name in ("config.json", "summary.json", "metrics.csv"):
        (places["run"] / name).write_text("x")
    name, *words = arguments.format(**places).split()
    with (
        mock.patch.object(datasets, "load", _load_few_or_fail),
        pytest.raises(SystemExit) as end,
    ):
        _call(name, *words)
    assert str(end.value.code).startswith(f"{name}: ")
    assert message.format(**places) in str(end.value.code)
    assert not places["new"].exists()
    assert {x.read_text() for x in places["run"].iterdir()} == {"x"}


def _load_few_or_fail(name, *, data_dir=None, **options):
    if data_dir is None:
        return few_images.load()
    return datasets.load.__wrapped__(name, data_dir=data_dir, **options)


_load_few_or_fail.__wrapped__ = datasets.load


def _made_again(name, tmp_path, *arguments):
    """Runs a program, and its flags.txt again; returns the first's folder."""
    first, second = tmp_path / "first", tmp_path / "second"
    with mock.patch.object(datasets, "load", few_images.load):
        _call(name, *arguments, f"--out={first}")
        _call(name, f"--flagfile={first / 'flags.txt'}", f"--out={second}")
    rows = test_bin._without_seconds(first / "metrics.csv")
    assert rows == test_bin._without_seconds(second / "metrics.csv")
    assert rows
    settings, again = (
        json.loads((run / "config.json").read_text())["settings"]
        for run in (first, second)
    )
    assert settings == again
    return first


def test_flags_txt_makes_a_vae_again_and_config_json_says_with_what(tmp_path):
    said = []
    with mock.patch.object(
        logging, "info", lambda text, *words: said.append(text % words)
    ):
        first = _made_again(
            "train_vae",
            tmp_path,
            "--architecture=linear1",
            "--num_latents=3",
            "--estimator=leave_one_out",
            "--learning_rate=0.0123",
            "--batch_size=100",
            "--steps_per_call=5",
            "--steps=10",
            "--bound_samples=0",
            "--nojit_compile",  # Bitwise the same on one thread, as here.
            "--seed=7",
        )
    config = json.loads((first / "config.json").read_text())
    names = {x.name for x in dataclasses.fields(experiments.VAESettings)}
    assert set(config["settings"]) == names
    assert config["settings"]["learning_rate"] == 0.0123
    assert config["versions"]["tensorflow"] == tf.__version__
    assert {"device", "cpu_threads", "xla", "seed", "commit"} < set(config)
    assert said[0].startswith("Device: ")
    begin = said.index(
        "TensorFlow traces 5 steps of leave_one_out, and runs that once ..."
    )
    assert said[begin + 1].startswith("... which took")


def test_flags_txt_makes_a_toy_again(tmp_path):
    _made_again(
        "toy",
        tmp_path,
        "--estimator=reinforce",
        "--steps=30",
        "--target=0.45",
        "--seed=3",
    )


def test_flags_txt_makes_a_policy_again(tmp_path, capsys):
    _made_again(
        "train_rl",
        tmp_path,
        "--env=CartPole-v0",
        "--estimator=reinforce",
        "--hidden=4",
        "--max_episodes=2",
        "--updates_per_call=2",
        "--learning_rate=0.02",
        "--nojit_compile",
    )
    assert "episodes_to_solve" in capsys.readouterr().out


def test_a_learning_rate_that_breaks_a_vae_is_named(tmp_path):
    with (
        mock.patch.object(datasets, "load", few_images.load),
        pytest.raises(SystemExit) as end,
    ):
        _call(
            "train_vae",
            "--architecture=linear1",
            "--num_latents=2",
            "--batch_size=500",
            "--steps_per_call=1",
            "--steps=4",
            "--bound_samples=0",
            "--learning_rate=1e30",
            "--nojit_compile",
            f"--out={tmp_path / 'run'}",
        )
    assert "Not finite in step" in end.value.code
    assert "learning_rate=1e+30" in end.value.code


def _fake_gpus(monkeypatch, gpus):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"device_name": "NVIDIA Something"},
    )


def test_device_line_without_a_gpu_says_how_to_get_one(monkeypatch, tmp_path):
    _fake_gpus(monkeypatch, [])
    line = experiments.describe_device(True)
    assert "no GPU. XLA: on. CPU threads: 1. On Linux" in line
    assert "pip install 'tf_relax[cuda]'" in line
    with pytest.raises(SystemExit) as end:
        _call("toy", f"--out={tmp_path / 'x'}", "--require_gpu")
    assert end.value.code.startswith("toy: `require_gpu` needs a GPU")
    assert "pip install 'tf_relax[cuda]'" in end.value.code


def test_device_line_with_a_gpu_names_it(monkeypatch):
    _fake_gpus(monkeypatch, [types.SimpleNamespace(name="gpu")])
    line = experiments.describe_device("true,false")
    assert line.startswith("Device: NVIDIA Something; 1 GPU. XLA: true,false.")
    assert "pip" not in line
    experiments.require_gpu()


def test_ctrl_c_says_so_and_exits_with_130(monkeypatch, tmp_path):
    def interrupted(settings, out):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments, "train_rl", interrupted)
    monkeypatch.setattr(experiments, "run_toy", interrupted)
    for name, said in (("train_rl", "The same command"), ("toy", "Stopped.")):
        with (
            mock.patch.object(logging, "warning") as warned,
            pytest.raises(SystemExit) as end,
        ):
            _call(name, f"--out={tmp_path}")
        assert end.value.code == 130
        assert said in warned.call_args.args[0]


def test_memory_that_is_not_there_is_no_traceback(monkeypatch, tmp_path):
    def greedy(settings, out):
        raise MemoryError("Unable to allocate 71.3 TiB")

    monkeypatch.setattr(experiments, "run_toy", greedy)
    with pytest.raises(SystemExit, match=r"toy: Not enough memory.*71\.3 TiB"):
        _call("toy", f"--out={tmp_path}")


def test_a_fault_of_the_library_keeps_its_traceback(monkeypatch, tmp_path):
    monkeypatch.setattr(experiments, "run_toy", lambda settings, out: {}["x"])
    with pytest.raises(KeyError):
        _call("toy", f"--out={tmp_path}")


def test_a_place_that_may_not_be_written_to_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(_files.os, "access", lambda path, mode: False)
    with pytest.raises(SystemExit, match="toy: --out must be where you may"):
        _call("toy", f"--out={tmp_path / 'new' / 'one'}")


def test_commit_is_that_of_the_library_only(monkeypatch):
    monkeypatch.setattr(_files, "__file__", "/usr/somewhere/_files.py")
    assert _files._commit() == "unknown: not a git checkout"
