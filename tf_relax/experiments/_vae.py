"""A whole VAE run: data, model, training, evaluation, pictures."""

import dataclasses
import pathlib
from typing import Any
import zipfile

from absl import logging
import keras

from tf_relax import datasets
from tf_relax.diagnostics import GradientDiagnostics
from tf_relax.experiments import _callbacks
from tf_relax.experiments import _files
from tf_relax.experiments import _plots
from tf_relax.experiments._devices import Devices
from tf_relax.experiments._devices import make_devices
from tf_relax.experiments._events import has_tensorboard
from tf_relax.experiments._precision import matmul_precision
from tf_relax.experiments._settings import check_same
from tf_relax.experiments._settings import write_flags
from tf_relax.experiments._vae_model import make_model
from tf_relax.experiments._vae_model import VAESettings
from tf_relax.models import DiscreteVAE
from tf_relax.models import named_estimator

EVALUATION_BATCH = 1000
_VARIANCE_IMAGES = 200


def train_vae(
    settings: VAESettings, out: pathlib.Path, strategy: str = "none"
) -> dict[str, Any]:
    """Trains, or goes on training, in the folder `out`.

    Interrupted, it leaves a run that the same call resumes from the last
    checkpoint, bitwise as if it had not been interrupted.

    Args:
      settings: of the run.
      out: its folder: `config.json`, `metrics.csv`, `checkpoints/`,
        `events/`, and at the end `model.keras`, `summary.json`, `curves.png`
        and `images.png`. Of several processes the first one writes, and all
        read the checkpoints.
      strategy: one of `STRATEGIES`, see `make_devices`. The run is the same
        by each of them, up to rounding.

    Returns:
      What `summary.json` holds: ELBOs and bounds, in nats.

    Raises:
      ConnectionError: if another process is lost.
      ValueError: if `out` holds a run with other settings, the data are too
        few for one call, or the devices cannot share a batch.
    """
    devices = make_devices(strategy)  # TensorFlow wants that to come first.
    devices.check(settings.batch_size)
    check_same(settings, out / "config.json", may_differ=("steps",))
    if settings.variance_of:
        for name in settings.variance_of.split(","):
            named_estimator(name)  # An unknown one is an error now, not later.
    data = datasets.load(
        settings.dataset,
        data_dir=settings.data_dir or None,
        binarization=settings.binarization,
    )
    call_size(settings, len(data.train))
    with devices.joined(), matmul_precision(settings.matmul_precision):
        return _train(settings, data, out, devices)


def _train(
    settings: VAESettings,
    data: datasets.ImageDataset,
    out: pathlib.Path,
    devices: Devices,
) -> dict[str, Any]:
    """See `train_vae`."""
    with devices.scope():
        model, epoch = _newest_model(out / "checkpoints")
        if model is None:
            model = make_model(settings, data)
    devices.check_same_epoch(epoch)
    if devices.is_chief:
        write_flags(settings, out / "flags.txt")
        _files.write_json(
            out / "config.json",
            {"settings": dataclasses.asdict(settings)}
            | _files.provenance(settings.seed, settings.jit_compile)
            | {"replicas": devices.num_replicas},
        )
    metrics = _callbacks.MetricsCSV(out / "metrics.csv", epoch)
    writers = [
        metrics,
        # Rows before the checkpoint: a resumed run has them all.
        *_variances(settings, data, out / "variance.csv"),
        _callbacks.Checkpoints(out / "checkpoints", settings.evaluate_every),
        *_tensorboard(out / "events"),
    ]
    if model.step < settings.steps:
        _fit(settings, model, data, epoch, writers if devices.is_chief else [])
    if devices.is_chief:
        _files.replace(out / "model.keras", model.save)
    summary = _evaluate(settings, model, data)
    if devices.is_chief:
        _finish(settings, model, data, metrics.rows, summary, out)
    return summary


def _fit(
    settings: VAESettings,
    model: DiscreteVAE,
    data: datasets.ImageDataset,
    epoch: int,
    writers: list[keras.callbacks.Callback],
) -> None:
    """Trains on from an epoch; `writers` get its ends, in their order."""
    batches = datasets.Batches(
        data.train,
        call_size(settings, len(data.train)),
        seed=settings.seed,
        dynamic=data.dynamic,
        start_epoch=epoch,
    )
    valid = datasets.binary_images(data.valid, data.dynamic)
    logging.info("%s on %s", settings.estimator, _files.device_name())
    model.fit(
        batches,
        shuffle=False,  # The batches are shuffled by (seed, epoch).
        initial_epoch=epoch,
        epochs=-(-settings.steps // (len(batches) * settings.steps_per_call)),
        verbose=0,
        validation_data=(valid,),
        validation_batch_size=EVALUATION_BATCH,
        validation_freq=settings.evaluate_every,
        callbacks=[_callbacks.StopAtStep(settings.steps), *writers],
    )


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


def call_size(settings: VAESettings, num_images: int) -> int:
    """Returns how many images one call takes.

    Raises:
      ValueError: if there are not so many.
    """
    size = settings.batch_size * settings.steps_per_call
    if size > num_images:
        raise ValueError(
            "One call takes batch_size * steps_per_call images, and there are "
            f"{num_images} to train on. Received: "
            f"batch_size={settings.batch_size}, "
            f"steps_per_call={settings.steps_per_call}. Lower one of them."
        )
    return size


def _variances(
    settings: VAESettings,
    data: datasets.ImageDataset,
    path: pathlib.Path,
) -> list[keras.callbacks.Callback]:
    if not settings.variance_of:
        return []
    return [
        GradientDiagnostics(
            datasets.binary_images(data.valid, data.dynamic)[:_VARIANCE_IMAGES],
            settings.variance_of.split(","),
            path=path,
            train_images=datasets.binary_images(data.train, data.dynamic),
            batch_size=settings.batch_size,
            temperature=settings.temperature,
            seed=settings.seed,
        )
    ]


def _tensorboard(folder: pathlib.Path) -> list[keras.callbacks.Callback]:
    if not has_tensorboard():
        return []
    return [keras.callbacks.TensorBoard(folder, write_graph=False)]


def _evaluate(
    settings: VAESettings, model: DiscreteVAE, data: datasets.ImageDataset
) -> dict[str, Any]:
    """Returns what `summary.json` holds."""
    model.bound_samples = settings.bound_samples
    model.make_test_function(force=True)
    summary: dict[str, Any] = {"step": model.step}
    for split in ("valid", "test"):
        images = datasets.binary_images(getattr(data, split), data.dynamic)
        result = model.evaluate(
            images, batch_size=EVALUATION_BATCH, verbose=0, return_dict=True
        )
        del result["loss"]  # It is -ELBO.
        summary |= {f"{split}_{name}": x for name, x in result.items()}
    return summary


def _finish(
    settings: VAESettings,
    model: DiscreteVAE,
    data: datasets.ImageDataset,
    rows: list[dict[str, Any]],
    summary: dict[str, Any],
    out: pathlib.Path,
) -> None:
    """Writes what is left to write of a trained model."""
    _files.write_json(out / "summary.json", summary)
    title = f"{settings.estimator}, {settings.architecture}, {data.name}"
    _plots.draw_curves(out / "curves.png", rows, title)
    images = datasets.binary_images(data.valid[:64], data.dynamic)
    panels = {
        "inputs": images,
        "reconstructions": model.reconstruct(images).numpy(),
        "samples of the prior": model.generate(64).numpy(),
    }
    _plots.draw_images(out / "images.png", panels, 28)
    logging.info("%s", summary)
