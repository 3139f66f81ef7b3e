"""Options of the suite: seeds, and a table of the tests of unbiasedness."""

import csv
import gc
import os
import pathlib
import random

import hypothesis
import keras
import pytest
import tensorflow as tf

from tf_relax import experiments

# LLVM does not polish programs that run a few times. XLA reads this at the
# first of them.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# One thread a worker: more would only wait for each other.
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)
# As the binaries do: 200,000 draws at a time are many pages to fill with zeros.
experiments.keep_freed_memory()
# Two devices, for tf.distribute; without it, all is done on the first.
(_CPU,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    _CPU, [tf.config.LogicalDeviceConfiguration()] * 2
)

# The same cases each time; by --hypothesis-profile=hunt others, and ten times
# as many. Nothing is written.
hypothesis.settings.register_profile(
    "same", derandomize=True, database=None, deadline=None
)
hypothesis.settings.register_profile(
    "hunt",
    database=None,
    deadline=None,
    max_examples=1000,
    phases=[hypothesis.Phase.generate],  # Shrinking takes minutes.
)
hypothesis.settings.load_profile("same")

# What test_biased records for the CSV.
_BIAS_COLUMNS = (
    "estimator",
    "distribution",
    "temperature",
    "function",
    "draws",
    "relative_bias",
    "standard_error",
    "largest_abs_z",
)

# What test_unbiased records, and the CSV's columns from it.
_GROUP = ("estimator", "distribution")
_COLUMNS = (*_GROUP, "tests", "draws", "largest_abs_z", "critical_abs_z")


def pytest_addoption(parser):
    parser.addoption(
        "--unbiased-table",
        metavar="PATH",
        help="write a CSV of what tests/test_unbiased.py found",
    )
    parser.addoption(
        "--bias-table",
        metavar="PATH",
        help="write a CSV of what tests/test_biased.py found",
    )
    parser.addoption(
        "--vary-seed",
        nargs="?",
        type=int,
        const=-1,
        default=0,
        metavar="SEED",
        help="draw other numbers in the Monte-Carlo tests; at random without "
        "a SEED. To hunt flakes",
    )


def pytest_configure(config):
    if config.option.vary_seed == -1:  # Not so in xdist's workers any more.
        config.option.vary_seed = random.SystemRandom().randrange(1, 2**31)
    for path, table in (
        (config.option.unbiased_table, UnbiasedTable),
        (config.option.bias_table, BiasTable),
    ):
        if path and not hasattr(config, "workerinput"):
            config.pluginmanager.register(table(pathlib.Path(path)))


def pytest_collection_finish():
    """What was imported stays: the collections below need not look at it."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config):
    return f"--vary-seed={config.option.vary_seed}"


@pytest.fixture(scope="session")
def vary_seed(pytestconfig):
    """An integer that Monte-Carlo tests take into their seeds. 0 by default."""
    return pytestconfig.option.vary_seed


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_are_freed():
    """Functions and models refer to each other, and hold programs of XLA."""
    yield
    keras.utils.clear_session()  # It also collects what is left over.
    gc.collect()


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_tuner_of_tf_data():
    """Datasets are read without tf.data's autotuning.

    On busy cores its thread, told to stop, may sleep on for as long as the run
    has lasted, and `fit` waits for it; see BUILD_NOTES.md.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    read = tf.data.Dataset.__iter__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tf.data.Dataset,
            "__iter__",
            lambda self: read(self.with_options(options)),
        )
        yield


@pytest.fixture
def float64():
    """Models are made in float64."""
    _set_dtype("float64")
    yield
    _set_dtype("float32")


def _set_dtype(dtype):
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)  # Of `floatx` only at first.


class UnbiasedTable:
    """Gathers properties of passed tests; xdist sends them here as well."""

    def __init__(self, path):
        self.path = path
        self.rows = {}

    def pytest_runtest_logreport(self, report):
        found = dict(report.user_properties)
        if report.when != "call" or "critical_abs_z" not in found:
            return
        key = tuple(found[name] for name in _GROUP)
        row = self.rows.setdefault(
            key, {"tests": 0, "draws": 0, "largest_abs_z": 0.0}
        )
        row["tests"] += 1
        row["draws"] += found["draws"]
        row["largest_abs_z"] = max(row["largest_abs_z"], found["largest_abs_z"])
        row["critical_abs_z"] = found["critical_abs_z"]

    def pytest_sessionfinish(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            for key, row in sorted(self.rows.items()):
                shown = {
                    name: f"{x:.2f}" if isinstance(x, float) else x
                    for name, x in row.items()
                }
                writer.writerow(dict(zip(_GROUP, key, strict=True)) | shown)


class BiasTable:
    """Gathers properties of tests/test_biased.py."""

    def __init__(self, path):
        self.path = path
        self.rows = []

    def pytest_runtest_logreport(self, report):
        found = dict(report.user_properties)
        if report.when == "call" and "relative_bias" in found:
            self.rows.append(found)

    def pytest_sessionfinish(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, _BIAS_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(
                sorted(self.rows, key=lambda row: list(map(str, row.values())))
            )
