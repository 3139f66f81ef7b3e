"""A whole VAE run: data, model, training, evaluation, pictures."""

import dataclasses
import functools
import pathlib
from typing import Any

from absl import logging
import keras

from tf_relax import datasets
from tf_relax.diagnostics import GradientDiagnostics
from tf_relax.diagnostics import PosteriorDiagnostics
from tf_relax.experiments import _callbacks
from tf_relax.experiments import _checkpoints
from tf_relax.experiments import _files
from tf_relax.experiments import _finite
from tf_relax.experiments import _plots
from tf_relax.experiments._devices import Devices
from tf_relax.experiments._devices import make_devices
from tf_relax.experiments._events import full_disk_said
from tf_relax.experiments._events import has_tensorboard
from tf_relax.experiments._precision import matmul_precision
from tf_relax.experiments._settings import check_kind
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
      FloatingPointError: if numbers are not finite any more; names the step
        and the tensor. The checkpoint of before stays.
      OSError: if the disk is full; what was written before is whole.
      ValueError: if `out` holds a run with other settings or no whole
        checkpoint, the data are too few for one call, or the devices cannot
        share a batch.
    """
    devices = make_devices(strategy)  # TensorFlow wants that to come first.
    devices.check(settings.batch_size)
    check_kind(out, is_sweep=False)
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
    precision = matmul_precision(settings.matmul_precision)
    with full_disk_said(out), devices.joined(), precision:
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
        _files.remove_drafts(out)
    metrics = _callbacks.MetricsCSV(out / "metrics.csv", epoch)
    writers = [
        metrics,
        # Rows before the checkpoint: a resumed run has them all.
        *_variances(settings, data, out / "variance.csv"),
        *_posterior(settings, data, out / "posterior.csv"),
        _callbacks.Checkpoints(out / "checkpoints", settings.evaluate_every),
        *_tensorboard(out / "events"),
    ]
    if model.step < settings.steps:
        batches = functools.partial(_batches, settings, data)
        stop = _finite.StopAtNotFinite(settings, out, batches)
        callbacks = [stop, *(writers if devices.is_chief else [])]
        _fit(settings, model, data, epoch, callbacks)
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
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Trains on from an epoch; `callbacks` get its ends, in their order."""
    batches = _batches(settings, data, epoch)
    valid = datasets.binary_images(data.valid, data.dynamic)
    epochs = -(-settings.steps // (len(batches) * settings.steps_per_call))
    what = f"{settings.steps_per_call} steps of {settings.estimator}"
    try:
        model.fit(
            batches,
            shuffle=False,  # The batches are shuffled by (seed, epoch).
            initial_epoch=epoch,
            epochs=epochs,
            verbose=0,
            validation_data=(valid,),
            validation_batch_size=EVALUATION_BATCH,
            validation_freq=settings.evaluate_every,
            callbacks=[
                _callbacks.FirstCall(what, settings.jit_compile),
                _callbacks.StopAtStep(settings.steps),
                *callbacks,
            ],
        )
    except BaseException:
        print()  # What is said next stands below the bar.
        raise


def _batches(
    settings: VAESettings, data: datasets.ImageDataset, epoch: int
) -> datasets.Batches:
    """Returns the images of each call from an epoch on."""
    return datasets.Batches(
        data.train,
        call_size(settings, len(data.train)),
        seed=settings.seed,
        dynamic=data.dynamic,
        start_epoch=epoch,
    )


def _newest_model(folder: pathlib.Path) -> tuple[DiscreteVAE | None, int]:
    """Returns the model of the newest whole checkpoint and its epoch."""
    path = _checkpoints.newest(
        _checkpoints.in_folder(folder, _callbacks.ENDING)
    )
    if path is None:
        return None, 0
    return _files.load_vae(path), _checkpoints.epoch_of(path)


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


def _posterior(
    settings: VAESettings,
    data: datasets.ImageDataset,
    path: pathlib.Path,
) -> list[keras.callbacks.Callback]:
    if not settings.posterior:
        return []
    return [
        PosteriorDiagnostics(
            datasets.binary_images(data.valid, data.dynamic),
            every=settings.evaluate_every,
            path=path,
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
    logging.info(
        "Validation and test images are evaluated, with %d samples each.",
        max(1, settings.bound_samples),
    )
    summary: dict[str, Any] = {"step": model.step}
    for split in ("valid", "test"):
        images = datasets.binary_images(getattr(data, split), data.dynamic)
        result = model.evaluate(
            images, batch_size=EVALUATION_BATCH, verbose=0, return_dict=True
        )
        del result["loss"]  # It is -ELBO.
        # Keras 3.12 has tensors here.
        summary |= {f"{split}_{name}": float(x) for name, x in result.items()}
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
