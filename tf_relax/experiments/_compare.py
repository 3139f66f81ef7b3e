"""Several estimators' gradients at one trained model, or at a black box."""

from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Any

from absl import logging

from tf_relax import datasets
from tf_relax import diagnostics
from tf_relax._names import unknown
from tf_relax.diagnostics import Case
from tf_relax.diagnostics import Measurement
from tf_relax.experiments import _files
from tf_relax.experiments._black_box import makespan
from tf_relax.experiments._settings import setting
from tf_relax.models import DiscreteVAE
from tf_relax.models import estimator_names
from tf_relax.models import named_estimator

_REFERENCE = "leave_one_out"
_BATCH = 100  # Images a step of the control variate.
_PROBLEMS = ("black_box", "vae")


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """What is compared; the flags of `bin/compare.py`."""

    problem: str = setting(
        "vae",
        "vae, at --model; or black_box, the makespan of 12 jobs on two "
        "machines, in hours, in NumPy.",
        choices=_PROBLEMS,
        section="Problem",
    )
    dataset: str = setting("mnist", "Images.", choices=sorted(datasets.LOADERS))
    data_dir: str = setting("", "Your own data. Empty: the embedded mnist.")
    num_images: int = setting(200, "Validation images to measure at.", 2)
    estimator: str = setting(
        "",
        "Estimators, with commas; empty: all that fit the latents.",
        choices=estimator_names(),
        several=True,
        section="Estimators",
    )
    num_samples: str = setting(
        "",
        "Numbers of samples of b, with commas, for all estimators that can use "
        "so many; empty: as few as each needs.",
        1,
    )
    control_variate_steps: int = setting(
        2000, "Adam steps for each control variate, at the frozen model.", 0
    )
    temperature: float = setting(
        0.1, "Of a relaxed f at the start, in units of the logits.", 1e-3
    )
    num_draws: int = setting(
        400, "Draws of each image's gradient.", 8, section="Measurements"
    )
    reference_draws: int = setting(
        400,
        "Draws of what the bias is held against: local expectation, or "
        "leave-one-out for several layers; one is enough of enumeration.",
        8,
    )
    rounds: int = setting(20, "Rounds of the timing; 0: no timing.", 0)
    control_variate_every: int = setting(
        1, "Steps of which it learns in the first, in the times.", 1
    )
    jit_compile: bool = setting(
        True,
        "Whether XLA compiles; of no effect at the black box.",
        section="Computation",
    )
    seed: int = setting(0, "Seed of all draws.", 0)


def compare(
    settings: CompareSettings,
    model_path: pathlib.Path | None,
    out: pathlib.Path,
) -> list[dict[str, Any]]:
    """Measures the gradients of several estimators on one batch.

    The model is frozen, and the images are the same for all. An estimator of
    the name that the model was trained with keeps its control variate; every
    other one is trained first, by its own variance, at the frozen model, on
    training images. `reinforce`'s baseline is warmed up likewise. At the black
    box control variates are trained at its one batch.

    Args:
      settings: of the comparison.
      model_path: a `.keras` file of a `DiscreteVAE`; None for a black box.
      out: the CSV file: `estimator, num_samples, gradient_variance,
        standard_error, ratio_to_leave_one_out, signal_to_noise, bias_z,
        relative_bias, milliseconds, variance_time, f_evaluations,
        needs_derivative, note`. See `tf_relax.diagnostics.Measurement`; the
        variance is summed over the latents and averaged over the images, in
        nats^2. Beside it there will be a `.png` and a `.json`.

    Returns:
      The rows of the CSV.

    Raises:
      FileNotFoundError: if there is no model.
      ValueError: if a name or a number is unknown, or nothing fits.
    """
    if settings.problem not in _PROBLEMS:
        raise ValueError(unknown("problem", settings.problem, _PROBLEMS))
    numbers = _numbers(settings)
    black_box = settings.problem == "black_box"
    jit_compile = settings.jit_compile and not black_box
    if black_box:
        if model_path is not None or settings.data_dir:
            raise ValueError(
                "problem=black_box has no model and no images. Received: "
                f"model={model_path}, data_dir={settings.data_dir}."
            )
        cases, refused = _at_black_box(settings, numbers)
        title, unit = "black box: the makespan of 12 jobs", "hours"
    else:
        if model_path is None:
            raise ValueError("problem=vae needs a model. Received: none.")
        model = _files.load_vae(model_path)
        cases, refused = _at_model(settings, model, numbers)
        title, unit = f"VAE, {_latents(model)}", "nats"
    logging.info("%d cases are measured, each a program.", len(cases))
    found = diagnostics.measure(
        cases,
        num_draws=settings.num_draws,
        reference_draws=settings.reference_draws,
        rounds=settings.rounds,
        control_variate_every=settings.control_variate_every,
        seed=(settings.seed, 0),
        jit_compile=jit_compile,
    )
    found += refused
    if all(x.gradient_variance is None for x in found):
        notes = [f"{x.estimator} {x.note}" for x in found]
        raise ValueError(
            "No estimator fits, or can use so many samples. Received: "
            f"estimator={settings.estimator}, "
            f"num_samples={settings.num_samples}. {'; '.join(notes)}"
        )
    rows = _rows(found)
    _files.write_csv(out, rows)
    _files.write_json(
        out.with_suffix(".json"),
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(settings.seed, jit_compile),
    )
    diagnostics.draw_comparison(out.with_suffix(".png"), rows, title, unit)
    return rows


def _at_model(
    settings: CompareSettings, model: DiscreteVAE, numbers: list[int]
) -> tuple[list[Case], list[Measurement]]:
    """Returns cases, their control variates trained, and what does not fit."""
    data = datasets.load(settings.dataset, data_dir=settings.data_dir or None)
    train = datasets.binary_images(data.train, data.dynamic)
    valid = datasets.binary_images(data.valid, data.dynamic)
    models: dict[str, DiscreteVAE] = {}
    refused = []
    for name in _names(settings, model.num_classes):
        try:
            models |= diagnostics.models_of(
                model,
                [name],
                temperature=settings.temperature,
                seed=settings.seed,
            )
        except TypeError as error:
            if settings.estimator:
                raise
            refused.append(Measurement(name, 0, note=f"does not fit: {error}"))
    cases = diagnostics.cases_of_models(
        models, valid[: settings.num_images], numbers
    )
    for name in dict.fromkeys(case.name for case in cases):
        if models[name] is not model:
            logging.info("%s learns.", name)
            models[name].fit_control_variates(
                train, _BATCH, settings.control_variate_steps
            )
    return cases, refused


def _at_black_box(
    settings: CompareSettings, numbers: list[int]
) -> tuple[list[Case], list[Measurement]]:
    """Returns cases, their control variates trained; all are for bits."""
    box = makespan(settings.seed)
    named = {
        name: named_estimator(name, settings.temperature, settings.seed)
        for name in _names(settings, 0)
    }
    cases = diagnostics.cases(box.f, box.distribution, named, numbers)
    for name in named:
        own = [case for case in cases if case.name == name]
        if own and diagnostics.fits(own[0]):
            diagnostics.fit_control_variates(
                own[0],
                settings.control_variate_steps,
                seed=(settings.seed, 1),
                jit_compile=False,
            )
    return cases, []


def _names(settings: CompareSettings, num_classes: int) -> list[str]:
    if not settings.estimator:
        return estimator_names(num_classes)
    return settings.estimator.split(",")


def _numbers(settings: CompareSettings) -> list[int]:
    words = settings.num_samples.split(",") if settings.num_samples else []
    if not all(word.isdigit() and int(word) > 0 for word in words):
        raise ValueError(
            "`num_samples` must be whole numbers >= 1, separated by commas. "
            f"Received: num_samples={settings.num_samples}."
        )
    return [int(word) for word in dict.fromkeys(words)]


def _latents(model: DiscreteVAE) -> str:
    units = " + ".join(
        str(model.latents.shape(size)[0]) for size in model.layer_sizes
    )
    if model.num_classes:
        return f"{units} one-hot latents of {model.num_classes} classes"
    return f"{units} Bernoulli latents"


def _rows(found: Sequence[Measurement]) -> list[dict[str, Any]]:
    first = next((x for x in found if x.estimator == _REFERENCE), None)
    return [_row(x, first and first.gradient_variance) for x in found]


def _row(x: Measurement, reference: float | None) -> dict[str, Any]:
    def number(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}g}"

    ratio = ""
    if reference and x.gradient_variance is not None:
        ratio = f"{x.gradient_variance / reference:.4g}"
    needs = {None: "", True: "yes", False: "no"}[x.needs_derivative]
    return {
        "estimator": x.estimator,
        "num_samples": x.num_samples or "",
        "gradient_variance": number(x.gradient_variance, 6),
        "standard_error": number(x.standard_error, 3),
        "ratio_to_leave_one_out": ratio,
        "signal_to_noise": number(x.signal_to_noise, 4),
        "bias_z": number(x.bias_z, 4),
        "relative_bias": number(x.relative_bias, 3),
        "milliseconds": number(x.milliseconds, 4),
        "variance_time": number(x.variance_time, 5),
        "f_evaluations": number(x.f_evaluations, 6),
        "needs_derivative": needs,
        "note": x.note,
    }
