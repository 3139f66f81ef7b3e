"""Variance of several estimators' gradients at one trained model."""

import dataclasses
import pathlib
from typing import Any

from absl import logging

from tf_relax import datasets
from tf_relax.experiments import _files
from tf_relax.experiments import _measure
from tf_relax.experiments._settings import setting
from tf_relax.models import estimator_names

_REFERENCE = "leave_one_out"
_BATCH = 100  # Images a step of the control variate.


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """What is compared; the flags of `bin/compare.py`."""

    estimator: str = setting(
        "reinforce,leave_one_out,dlax,rebar,relax,relax_independent",
        f"Separated by commas: {', '.join(estimator_names())}.",
    )
    dataset: str = setting(
        "mnist", f"One of {', '.join(sorted(datasets.LOADERS))}."
    )
    data_dir: str = setting("", "Your own data. Empty: the embedded mnist.")
    control_variate_steps: int = setting(
        2000, "Adam steps for each control variate, at the frozen model.", 0
    )
    num_images: int = setting(200, "Validation images to measure at.", 2)
    num_draws: int = setting(200, "Pairs of draws of each image's gradient.", 2)
    temperature: float = setting(0.1, "Of a relaxed f at the start.", 1e-3)
    seed: int = setting(0, "Of all draws.", 0)


def compare(
    settings: CompareSettings, model_path: pathlib.Path, out: pathlib.Path
) -> list[dict[str, Any]]:
    """Measures the variance of each estimator's gradient by the logits.

    The model is frozen, and the images are the same for all. An estimator of
    the name that the model was trained with keeps its control variate; every
    other one is trained first, by its own variance, at the frozen model.
    `reinforce`'s baseline is warmed up likewise.

    Args:
      settings: of the comparison.
      model_path: a `.keras` file of a `DiscreteVAE`.
      out: the CSV file: `estimator, num_samples, gradient_variance,
        standard_error, ratio_to_leave_one_out`. The variance is summed over
        the latents and averaged over the images, in nats^2.

    Returns:
      The rows of the CSV.

    Raises:
      FileNotFoundError: if there is no model.
      ValueError: if an estimator is unknown.
    """
    model = _files.load_vae(model_path)
    data = datasets.load(settings.dataset, data_dir=settings.data_dir or None)
    images = data.valid[: settings.num_images]
    measured = {}
    for name in settings.estimator.split(","):
        own = model
        if name != model.estimator:
            own = _measure.measured_model(
                model, name, settings.temperature, settings.seed
            )
            own.fit_control_variates(
                data.train, _BATCH, settings.control_variate_steps
            )
        variance = _measure.variance_meter(
            own, images, settings.num_draws, settings.seed
        )()
        measured[name] = (own.num_samples, *variance)
        logging.info("%s: variance %.4g +- %.2g", name, *variance)
    reference = measured.get(_REFERENCE)
    rows = [
        {
            "estimator": name,
            "num_samples": num_samples,
            "gradient_variance": f"{variance:.6g}",
            "standard_error": f"{error:.3g}",
            "ratio_to_leave_one_out": f"{variance / reference[1]:.4f}"
            if reference
            else "",
        }
        for name, (num_samples, variance, error) in measured.items()
    ]
    _files.write_csv(out, rows)
    _files.write_json(
        out.with_suffix(".json"),
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(settings.seed, jit_compile=True),
    )
    return rows
