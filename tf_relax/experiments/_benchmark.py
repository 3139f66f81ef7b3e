"""Milliseconds of an optimizer step, beside leave-one-out's in one run."""

from collections.abc import Sequence
import dataclasses
import itertools
import pathlib
from typing import Any

from absl import logging
import numpy as np

from tf_relax import datasets
from tf_relax._names import unknown
from tf_relax.experiments import _benchmark_plot
from tf_relax.experiments import _files
from tf_relax.experiments import _floor
from tf_relax.experiments import _peak_memory
from tf_relax.experiments import _timers
from tf_relax.experiments._precision import matmul_precision
from tf_relax.experiments._precision import PRECISIONS
from tf_relax.experiments._settings import setting
from tf_relax.experiments._timers import Case
from tf_relax.models import architectures
from tf_relax.models import estimator_names
from tf_relax.models import named_estimator

_REFERENCE = "leave_one_out"
_MAIN_MEMORY = 1 << 25  # Floats; no cache holds them.


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings:
    """What is timed, crossed; the flags of `bin/benchmark.py`."""

    estimator: str = setting(
        "leave_one_out,rebar,relax,relax_independent",
        "Of the gradient.",
        choices=estimator_names(),
        several=True,
        layered=True,
        section="--suite=vae, each a list with commas",
    )
    architecture: str = setting(
        "nonlinear", "Of the VAE.", choices=architectures(), several=True
    )
    batch_size: str = setting("100", "Images a step.", 1)
    steps_per_call: str = setting("1,50", "Steps in one program.", 1)
    jit_compile: str = setting(
        "true,false",
        "Whether XLA compiles.",
        choices=("true", "false"),
        several=True,
    )
    replicas: str = setting("1", "Runs side by side in one program.", 1)
    num_latents: str = setting(
        "0", "Units a layer; 0 for the architecture's own.", 0
    )
    num_samples: str = setting(
        "0", "Samples an image; 0 for as few as the estimator needs.", 0
    )
    control_variate_every: str = setting(
        "1",
        "Steps of which the control variate learns in the first; divides "
        "steps_per_call.",
        1,
    )
    matmul_precision: str = setting(
        "tensorfloat32", "Of matrix products, in all cases.", choices=PRECISIONS
    )
    rounds: int = setting(
        10, "Timings of each case.", 1, section="--suite=vae, one value each"
    )
    steps_per_round: int = setting(100, "Optimizer steps of one timing.", 1)
    count_operations: bool = setting(
        True, "Also compile each case's step once more, for its floor."
    )
    measure_memory: bool = setting(
        False, "Also run each case in a process of its own for its memory."
    )

    def cases(self) -> list[Case]:
        """Returns the cross product.

        Raises:
          ValueError: if a name is unknown, a number is none, or no truth
            value is one.
        """
        axes: dict[str, Sequence[Any]] = {
            "architecture": _names(
                "architecture", self.architecture, architectures()
            ),
            "batch_size": _numbers("batch_size", self.batch_size),
            "steps_per_call": _numbers("steps_per_call", self.steps_per_call),
            "jit_compile": [_truth(x) for x in self.jit_compile.split(",")],
            "replicas": _numbers("replicas", self.replicas),
            "num_latents": _numbers("num_latents", self.num_latents, 0),
            "num_samples": _numbers("num_samples", self.num_samples, 0),
            "control_variate_every": _numbers(
                "control_variate_every", self.control_variate_every
            ),
            "estimator": _names("estimator", self.estimator, estimator_names()),
        }
        cases = (
            Case(**dict(zip(axes, values, strict=True)))
            for values in itertools.product(*axes.values())
        )
        return list(dict.fromkeys(map(_simplest, cases)))


def benchmark(
    settings: BenchmarkSettings, out: pathlib.Path
) -> list[dict[str, Any]]:
    """Times optimizer steps, all updates included, and writes a CSV.

    Every round runs every case, so that a machine whose speed drifts slows
    them alike; `ratio_to_leave_one_out` is the median of the ratios within
    a round, to the leave-one-out step of as few samples as it needs and of
    otherwise the same settings; `ratio_to_single_runs` that of a step of all
    R replicas to R steps of the same case alone. `compile_seconds` is the
    first call's time, `peak_mib` see `_peak_memory`. `floor_ms` is that of
    `_floor`, if operations are counted, with Adam's bytes at the bandwidth of
    arrays that take as much memory as its own; the JSON file has that of main
    memory, and `memory_fraction` is of the floor made with that.

    A case that no model fits is left out, with a warning.

    Args:
      settings: what is timed.
      out: the CSV file. Beside it, with the ending `.json`, there will be
        device, versions and the machine's rates, and with `.png` a plot.

    Returns:
      The rows of the CSV.

    Raises:
      ValueError: if a name or a number is wrong, or no case is left.
    """
    with matmul_precision(settings.matmul_precision):
        return _benchmark(settings, out)


def _benchmark(
    settings: BenchmarkSettings, out: pathlib.Path
) -> list[dict[str, Any]]:
    timers = _ready(settings)
    work = {}
    if settings.count_operations:
        logging.info("Operations of %d cases are counted.", len(timers))
        work = _work(list(timers))
    logging.info("%d rounds of timings begin.", settings.rounds)
    seconds: dict[Case, list[float]] = {case: [] for case in timers}
    for _ in range(settings.rounds):
        for case, timer in timers.items():
            seconds[case].append(timer())
    memory = _floor.bandwidth(_MAIN_MEMORY)
    rows = [
        _row(timer, seconds) | _floors(seconds[case], work.get(case), memory)
        for case, timer in timers.items()
    ]
    if settings.measure_memory:
        for row, case in zip(rows, timers, strict=True):
            row["peak_mib"] = f"{_peak_memory.peak_mib(case):.0f}"
    _files.write_csv(out, rows)
    _files.write_json(
        out.with_suffix(".json"),
        {
            "matrix_product_gflops": round(_floor.matrix_product_rate(), 1),
            "main_memory_gbytes_per_second": round(memory, 1),
            "settings": dataclasses.asdict(settings),
        }
        | _files.provenance(0, any(case.jit_compile for case in timers)),
    )
    _benchmark_plot.draw(out.with_suffix(".png"), rows)
    return rows


def _ready(settings: BenchmarkSettings) -> dict[Case, _timers.Timer]:
    """Returns the timers of all cases that there are models for."""
    data = datasets.load("mnist")
    timers = {}
    for case in settings.cases():
        logging.info("%s: made ready ...", case)
        try:
            timers[case] = _timers.Timer(case, data, settings.steps_per_round)
        except (TypeError, ValueError) as error:
            logging.warning("Left out: %s. %s", case, error)
            continue
        logging.info("... in %.1f s.", timers[case].compile_seconds)
    if not timers:
        raise ValueError(
            "No model fits any of the cases. The warnings say why. Received: "
            f"{settings}."
        )
    return timers


def _work(cases: Sequence[Case]) -> dict[Case, tuple[float, float]]:
    """Returns the operations and weights of cases."""
    data = datasets.load("mnist")
    work: dict[Case, tuple[float, float]] = {}
    for case in cases:
        one = case._replace(steps_per_call=1, jit_compile=True)
        work[case] = work.get(one) or _timers.work(case, data)
        work[one] = work[case]
    return work


def _row(
    timer: _timers.Timer, seconds: dict[Case, list[float]]
) -> dict[str, Any]:
    case = timer.case
    own = 1e3 * np.array(seconds[case])

    def ratio(times: int, **reference: Any) -> str:
        others = seconds.get(case._replace(**reference))
        if others is None:
            return ""
        return f"{np.median(own / (1e3 * times * np.array(others))):.3f}"

    return case._asdict() | {
        "median_ms": f"{np.median(own):.4f}",
        "min_ms": f"{own.min():.4f}",
        "max_ms": f"{own.max():.4f}",
        "compile_seconds": f"{timer.compile_seconds:.2f}",
        "ratio_to_leave_one_out": ratio(
            1, estimator=_REFERENCE, num_samples=0, control_variate_every=1
        ),
        "ratio_to_single_runs": ratio(case.replicas, replicas=1),
    }


def _floors(
    seconds: list[float], work: tuple[float, float] | None, memory: float
) -> dict[str, str]:
    if work is None:
        return {}
    operations, num_weights = work
    median = 1e3 * np.median(seconds)
    near = _floor.bandwidth(_floor.STREAM * round(num_weights))
    floor = _floor.floor_ms(operations, num_weights, near)
    far = _floor.floor_ms(operations, num_weights, memory)
    return {
        "matrix_mflop": f"{1e-6 * operations:.1f}",
        "adam_mbytes": f"{1e-6 * _floor.ADAM_BYTES * num_weights:.1f}",
        "floor_ms": f"{floor:.4f}",
        "fraction_of_floor": f"{floor / median:.3f}",
        "memory_fraction": f"{far / median:.3f}",
    }


def _simplest(case: Case) -> Case:
    """Returns a case of the same program: nothing learns now and then."""
    if any(named_estimator(x).layers for x in case.estimator.split("+")):
        return case
    return case._replace(control_variate_every=1)


def _names(flag: str, words: str, known: list[str]) -> list[str]:
    for word in words.replace("+", ",").split(","):  # See `each_layers`.
        if word not in known:
            raise ValueError(unknown(flag, word, known))
    return words.split(",")


def _numbers(name: str, words: str, least: int = 1) -> list[int]:
    numbers = [int(word) if word.isdigit() else -1 for word in words.split(",")]
    if min(numbers) < least:
        raise ValueError(
            f"`{name}` must be whole numbers >= {least}, separated by commas. "
            f"Received: {name}={words}."
        )
    return numbers


def _truth(word: str) -> bool:
    if word not in ("true", "false"):
        raise ValueError(
            "`jit_compile` must be true, false or true,false. Received: "
            f"{word!r}."
        )
    return word == "true"
