"""A whole VAE run: data, model, training, evaluation, pictures."""

from collections.abc import Callable
import dataclasses
import json
import pathlib
from typing import Any
import zipfile

from absl import logging
import keras
import numpy as np

from tf_relax import datasets
from tf_relax._names import unknown
from tf_relax.experiments import _callbacks
from tf_relax.experiments import _files
from tf_relax.experiments import _plots
from tf_relax.experiments._settings import setting
from tf_relax.experiments._settings import write_flags
from tf_relax.models import architectures
from tf_relax.models import DiscreteVAE
from tf_relax.models import estimator_names

_EVALUATION_BATCH = 1000


def _cosine(rate: float, steps: int, end: float) -> Any:
    return keras.optimizers.schedules.CosineDecay(rate, steps, end)


def _linear(rate: float, steps: int, end: float) -> Any:
    return keras.optimizers.schedules.PolynomialDecay(rate, steps, rate * end)


def _exponential(rate: float, steps: int, end: float) -> Any:
    return keras.optimizers.schedules.ExponentialDecay(rate, steps, end)


# Of (learning rate, steps, part of it at the end).
SCHEDULES: dict[str, Callable[[float, int, float], Any]] = {
    "constant": lambda rate, steps, end: rate,
    "cosine": _cosine,
    "exponential": _exponential,
    "linear": _linear,
}


@dataclasses.dataclass(frozen=True)
class VAESettings:
    """What a run is made with; the flags of `bin/train_vae.py`."""

    dataset: str = setting(
        "mnist", f"One of {', '.join(sorted(datasets.LOADERS))}."
    )
    data_dir: str = setting(
        "",
        "Folder or file of your own data: idx(.gz), mnist.npz or .amat for "
        "mnist, chardata.mat for omniglot. Empty: the embedded mnist.",
    )
    binarization: str = setting(
        "static", "static, once; or dynamic, afresh at each use."
    )
    architecture: str = setting(
        "nonlinear", f"One of {', '.join(architectures())}."
    )
    num_latents: int = setting(200, "Bernoulli units.", 1)
    estimator: str = setting("relax", f"One of {', '.join(estimator_names())}.")
    num_samples: int = setting(
        0, "Samples of b an image; 0: as few as the estimator needs.", 0
    )
    temperature: float = setting(
        0.5, "Of the relaxed f, at the start; it is learned.", 1e-3
    )
    batch_size: int = setting(100, "Images an optimizer step.", 1)
    steps: int = setting(
        10_000, "Optimizer steps, up to a multiple of steps_per_call.", 1
    )
    steps_per_call: int = setting(50, "Optimizer steps in one program.", 1)
    learning_rate: float = setting(
        1e-3, "Of Adam, for encoder, decoder and prior.", 0.0
    )
    beta2: float = setting(0.999, "Of both Adams.", 0.0, 1.0)
    learning_rate_schedule: str = setting(
        "constant", f"One of {', '.join(SCHEDULES)}; of both Adams."
    )
    decay_steps: int = setting(
        0, "Steps in which a schedule other than constant comes to its end.", 0
    )
    final_learning_rate: float = setting(
        0.0, "Part of learning_rate that a schedule ends at.", 0.0, 1.0
    )
    control_variate_learning_rate_factor: float = setting(
        1.0, "Learning rate of the control variate's Adam, in that of f's.", 0.0
    )
    control_variate_pretraining: int = setting(
        0, "Steps of the control variate alone, before all others.", 0
    )
    network_depth: int = setting(
        2, "Hidden layers, of 200 ReLU units, of the control variate.", 1
    )
    network_weight_decay: float = setting(
        0.0,
        "w of w / 2 * ||network||^2, in units of the paper's code, whose "
        "objective is ours divided by latents * batch_size^2.",
        0.0,
    )
    coupled: bool = setting(
        True, "Whether z and z | b share their noise, or are independent."
    )
    kl_warmup_epochs: float = setting(
        0.0, "Epochs in which the weight of the KL term rises to 1.", 0.0
    )
    evaluate_every: int = setting(
        1, "Epochs between two evaluations and checkpoints.", 1
    )
    bound_samples: int = setting(
        100, "Of the importance-weighted bound at the end; 0: none.", 0
    )
    jit_compile: bool = setting(True, "Whether XLA compiles the steps.")
    seed: int = setting(0, "Of weights, order of images and draws.", 0)


def train_vae(settings: VAESettings, out: pathlib.Path) -> dict[str, Any]:
    """Trains, or goes on training, in the folder `out`.

    Interrupted, it leaves a run that the same call resumes from the last
    checkpoint, bitwise as if it had not been interrupted.

    Args:
      settings: of the run.
      out: its folder: `config.json`, `metrics.csv`, `checkpoints/`,
        `events/`, and at the end `model.keras`, `summary.json`, `curves.png`
        and `images.png`.

    Returns:
      What `summary.json` holds: ELBOs and bounds, in nats.

    Raises:
      ValueError: if `out` holds a run with other settings, or the data are
        too few for one call.
    """
    _compare(settings, out / "config.json")
    data = datasets.load(
        settings.dataset,
        data_dir=settings.data_dir or None,
        binarization=settings.binarization,
    )
    call_size = _call_size(settings, len(data.train))
    model, epoch = _newest_model(out / "checkpoints")
    if model is None:
        model = _make_model(settings, data)
    write_flags(settings, out / "flags.txt")
    _files.write_json(
        out / "config.json",
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(settings.seed, settings.jit_compile),
    )
    batches = datasets.Batches(
        data.train,
        call_size,
        seed=settings.seed,
        dynamic=data.dynamic,
        start_epoch=epoch,
    )
    valid = _binary(data.valid, data.dynamic)
    metrics = _callbacks.MetricsCSV(out / "metrics.csv", epoch)
    if int(model.optimizer.iterations) < settings.steps:
        epochs = -(-settings.steps // (len(batches) * settings.steps_per_call))
        logging.info("%s on %s", settings.estimator, _files.device_name())
        model.fit(
            batches,
            shuffle=False,  # The batches are shuffled by (seed, epoch).
            initial_epoch=epoch,
            epochs=epochs,
            verbose=0,
            validation_data=(valid,),
            validation_batch_size=_EVALUATION_BATCH,
            validation_freq=settings.evaluate_every,
            callbacks=[
                _callbacks.StopAtStep(settings.steps),
                metrics,
                _callbacks.Checkpoints(
                    out / "checkpoints", settings.evaluate_every
                ),
                *_tensorboard(out / "events"),
            ],
        )
    return _finish(settings, model, data, metrics.rows, out)


def _compare(settings: VAESettings, path: pathlib.Path) -> None:
    """Raises a ValueError if `config.json` is of another run."""
    if not path.exists():
        return
    old = json.loads(path.read_text())["settings"]
    differing = [
        f"{name} {old.get(name)!r}, now {value!r}"
        for name, value in dataclasses.asdict(settings).items()
        if name != "steps" and old.get(name) != value
    ]
    if differing:
        raise ValueError(
            f"{path.parent} holds a run with other settings: "
            f"{'; '.join(differing)}. Choose another folder, or that run's "
            "settings to resume it."
        )


def _make_model(
    settings: VAESettings, data: datasets.ImageDataset
) -> DiscreteVAE:
    # The paper's code has the mean over units of squares of gradients of a
    # mean over the batch, where ours has a mean over the batch of sums.
    unit = settings.num_latents * settings.batch_size**2
    model = DiscreteVAE(
        settings.architecture,
        settings.num_latents,
        settings.estimator,
        data.mean,
        num_samples=settings.num_samples or None,
        temperature=settings.temperature,
        estimator_options={
            "hidden": (200,) * settings.network_depth,
            "weight_decay": settings.network_weight_decay * unit,
            "coupled": settings.coupled,
        },
        image_shape=data.train.shape[1:],
        seed=settings.seed,
    )
    steps_per_epoch = len(data.train) // settings.batch_size
    model.compile(
        *(
            keras.optimizers.Adam(rate, beta_2=settings.beta2)
            for rate in _learning_rates(settings)
        ),
        steps_per_call=settings.steps_per_call,
        kl_warmup_steps=round(settings.kl_warmup_epochs * steps_per_epoch),
        jit_compile=settings.jit_compile,
    )
    if settings.control_variate_pretraining:
        model.fit_control_variates(
            _binary(data.train, data.dynamic),
            settings.batch_size,
            settings.control_variate_pretraining,
        )
    return model


def _learning_rates(settings: VAESettings) -> list[Any]:
    """Returns the rate or schedule of the model and of the control variate.

    Raises:
      ValueError: if the schedule is unknown or has no length.
    """
    name = settings.learning_rate_schedule
    if name not in SCHEDULES:
        raise ValueError(unknown("learning_rate_schedule", name, SCHEDULES))
    if name != "constant" and not settings.decay_steps:
        raise ValueError(
            f"learning_rate_schedule={name} needs decay_steps. Received: "
            "decay_steps=0."
        )
    if name == "exponential" and not settings.final_learning_rate:
        raise ValueError(
            "learning_rate_schedule=exponential needs final_learning_rate > 0. "
            "Received: final_learning_rate=0."
        )
    rate = settings.learning_rate
    return [
        SCHEDULES[name](own, settings.decay_steps, settings.final_learning_rate)
        for own in (rate, rate * settings.control_variate_learning_rate_factor)
    ]


def _newest_model(folder: pathlib.Path) -> tuple[DiscreteVAE | None, int]:
    """Returns the model of the newest whole checkpoint and its epoch."""
    for path in reversed(_callbacks.checkpoints(folder)):
        try:
            model = keras.models.load_model(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            logging.warning(
                "%s is damaged (%s); taking the one before it.", path, error
            )
        else:
            logging.info("Resuming from %s", path)
            return model, _callbacks.epoch_of(path)
    return None, 0


def _call_size(settings: VAESettings, num_images: int) -> int:
    size = settings.batch_size * settings.steps_per_call
    if size > num_images:
        raise ValueError(
            "One call takes batch_size * steps_per_call images, and there are "
            f"{num_images} to train on. Received: "
            f"batch_size={settings.batch_size}, "
            f"steps_per_call={settings.steps_per_call}. Lower one of them."
        )
    return size


def _binary(images: np.ndarray, dynamic: bool) -> np.ndarray:
    """Returns images drawn once, by a seed of their own, to evaluate on."""
    if not dynamic:
        return images
    return datasets.binarize(images, np.random.default_rng(0))


def _tensorboard(folder: pathlib.Path) -> list[keras.callbacks.Callback]:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        logging.warning(
            "No TensorBoard events: it is missing. Install it with "
            "`pip install tensorboard`."
        )
        return []
    return [keras.callbacks.TensorBoard(folder, write_graph=False)]


def _finish(
    settings: VAESettings,
    model: DiscreteVAE,
    data: datasets.ImageDataset,
    rows: list[dict[str, Any]],
    out: pathlib.Path,
) -> dict[str, Any]:
    """Evaluates the trained model and writes what is left to write."""
    _files.replace(out / "model.keras", model.save)
    model.bound_samples = settings.bound_samples
    model.make_test_function(force=True)
    summary: dict[str, Any] = {"step": int(model.optimizer.iterations)}
    for split in ("valid", "test"):
        images = _binary(getattr(data, split), data.dynamic)
        result = model.evaluate(
            images, batch_size=_EVALUATION_BATCH, verbose=0, return_dict=True
        )
        summary |= {f"{split}_{name}": x for name, x in result.items()}
    _files.write_json(out / "summary.json", summary)
    title = f"{settings.estimator}, {settings.architecture}, {data.name}"
    _plots.draw_curves(out / "curves.png", rows, title)
    images = _binary(data.valid[:64], data.dynamic)
    panels = {
        "inputs": images,
        "reconstructions": model.reconstruct(images).numpy(),
        "samples of the prior": model.generate(64).numpy(),
    }
    _plots.draw_images(out / "images.png", panels, 28)
    logging.info("%s", summary)
    return summary
