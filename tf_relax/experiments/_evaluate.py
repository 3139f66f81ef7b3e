"""ELBO and bound of a trained model on every split, with errors."""

import dataclasses
import pathlib
from typing import Any

from tf_relax import datasets
from tf_relax.experiments import _files
from tf_relax.experiments import _measure
from tf_relax.experiments._progress import first_call
from tf_relax.experiments._settings import setting

_SPLITS = ("train", "valid", "test")


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """What a model is evaluated on; the flags of `bin/eval_vae.py`."""

    dataset: str = setting(
        "mnist", "Images.", choices=sorted(datasets.LOADERS), section="Data"
    )
    data_dir: str = setting(
        "", "Folder or file of your own data. Empty: the embedded mnist."
    )
    binarization: str = setting(
        "static",
        "dynamic: grey levels, of which one draw is made.",
        choices=datasets.BINARIZATIONS,
    )
    split: str = setting(
        ",".join(_SPLITS),
        "Which to evaluate, with commas.",
        choices=_SPLITS,
        several=True,
    )
    num_images: int = setting(0, "Images of each split; 0: all.", 0)
    bound_samples: int = setting(
        100,
        "Samples an image of the importance-weighted bound; 0: no bound.",
        0,
        section="Measurements",
    )
    seed: int = setting(0, "Seed of the draws.", 0, 10**9)


def evaluate_vae(
    settings: EvaluateSettings, model_path: pathlib.Path
) -> list[dict[str, Any]]:
    """Evaluates a model.

    Args:
      settings: of the evaluation.
      model_path: a `.keras` file of a `DiscreteVAE`, such as the
        `model.keras` of a run or one of its checkpoints.

    Returns:
      A row for each split and quantity: `split, quantity, nats,
      standard_error, images`. The error is that of the mean over the images,
      which the draws have part in.

    Raises:
      FileNotFoundError: if there is no model.
      ValueError: if a split is unknown, the file is no `DiscreteVAE`, or the
        images are of another size than the model's.
    """
    splits = [split.strip() for split in settings.split.split(",")]
    for split in splits:
        if split not in _SPLITS:
            raise ValueError(
                "`split` must be train, valid or test, or several with "
                f"commas. Received: split={split!r}."
            )
    model = _files.load_vae(model_path)
    data = datasets.load(
        settings.dataset,
        data_dir=settings.data_dir or None,
        binarization=settings.binarization,
    )
    rows = []
    for split in splits:
        images = datasets.binary_images(
            getattr(data, split)[: settings.num_images or None], data.dynamic
        )
        with first_call(f"the evaluation of {len(images)} images", True):
            measured = _measure.evaluate(
                model, images, settings.bound_samples, settings.seed
            )
        rows += [
            {
                "split": split,
                "quantity": name,
                "nats": f"{x.mean:.4f}",
                "standard_error": f"{x.standard_error:.4f}",
                "images": len(images),
            }
            for name, x in measured.items()
        ]
    return rows
