"""Several VAE runs in one program: the product of lists of settings."""

from collections.abc import Callable, Iterator
from concurrent import futures
import contextlib
import dataclasses
import functools
import pathlib
import time
from typing import Any

from absl import logging
import keras
import numpy as np

from tf_relax import datasets
from tf_relax.experiments import _files
from tf_relax.experiments import _sweep_files
from tf_relax.experiments._finite import likely_cause
from tf_relax.experiments._precision import matmul_precision
from tf_relax.experiments._progress import first_call
from tf_relax.experiments._settings import check_kind
from tf_relax.experiments._settings import check_same
from tf_relax.experiments._settings import write_flags
from tf_relax.experiments._sweep_settings import SweepSettings
from tf_relax.experiments._vae import call_size
from tf_relax.experiments._vae import EVALUATION_BATCH
from tf_relax.experiments._vae_model import build_model
from tf_relax.experiments._vae_model import kl_warmup_steps
from tf_relax.experiments._vae_model import make_optimizers
from tf_relax.experiments._vae_model import VAESettings
from tf_relax.models import Replicas


def train_sweep(settings: SweepSettings, out: pathlib.Path) -> dict[str, Any]:
    """Trains all replicas, or goes on training them, in the folder `out`.

    Interrupted, it leaves a sweep that the same call resumes from the last
    checkpoint, bitwise as if it had not been interrupted.

    Args:
      settings: of the replicas.
      out: their folder: `config.json`, `flags.txt`, `metrics.csv`,
        `checkpoints/`, and at the end `summary.json`, `curves.png` and
        `best.keras`, the model of the best replica.

    Returns:
      What `summary.json` holds: the best replica by its validation ELBO, and
      what each one's ELBOs and bounds are, in nats.

    Raises:
      FloatingPointError: if the numbers of no replica are finite any more.
      OSError: if the disk is full; what was written before is whole.
      ValueError: if a list is malformed, `out` holds another sweep or no
        whole checkpoint, or the data are too few for one call.
    """
    with matmul_precision(settings.matmul_precision):
        return _train(settings, out)


def _train(settings: SweepSettings, out: pathlib.Path) -> dict[str, Any]:
    settings = settings.written_alike()
    runs = settings.replicas()
    check_kind(out, is_sweep=True)
    check_same(settings, out / "config.json", may_differ=("steps",))
    data = datasets.load(
        settings.dataset,
        data_dir=settings.data_dir or None,
        binarization=settings.binarization,
    )
    size = call_size(runs[0], len(data.train))
    replicas = make_replicas(runs, data)
    epoch = _sweep_files.restore(replicas, out / "checkpoints")
    if not epoch and settings.control_variate_pretraining:
        replicas.fit_control_variates(
            datasets.binary_images(data.train, data.dynamic),
            settings.batch_size,
            settings.control_variate_pretraining,
        )
    write_flags(settings, out / "flags.txt")
    _files.write_json(
        out / "config.json",
        {"settings": dataclasses.asdict(settings)}
        | _files.provenance(runs[0].seed, settings.jit_compile),
    )
    _files.remove_drafts(out)
    rows = _Loop(runs, replicas, data, size, epoch, out).run()
    return _finish(runs, replicas, data, rows, out)


def make_replicas(
    runs: list[VAESettings], data: datasets.ImageDataset
) -> Replicas:
    """Returns the models of runs that differ in what may be swept."""
    optimizers = [make_optimizers(run) for run in runs]
    largest = max(run.network_weight_decay for run in runs)
    # The models share the penalty of the largest; each has its part of it.
    models = [
        build_model(
            dataclasses.replace(run, network_weight_decay=largest), data
        )
        for run in runs
    ]
    return Replicas(
        models,
        [of_model for of_model, _ in optimizers],
        [of_variate for _, of_variate in optimizers],
        weight_decays=[
            run.network_weight_decay / largest if largest else 1.0
            for run in runs
        ],
        steps_per_call=runs[0].steps_per_call,
        control_variate_every=runs[0].control_variate_every,
        kl_warmup_steps=[kl_warmup_steps(run, data) for run in runs],
        images=None if data.dynamic else data.train,
        jit_compile=runs[0].jit_compile,
    )


class _Loop:
    """Epochs of all replicas: calls, evaluations, rows, checkpoints."""

    def __init__(
        self,
        runs: list[VAESettings],
        replicas: Replicas,
        data: datasets.ImageDataset,
        call_size: int,
        epoch: int,
        out: pathlib.Path,
    ) -> None:
        self._runs = runs
        self._replicas = replicas
        self._out = out
        self._epoch = epoch
        self._steps = runs[0].steps
        self._first_call: Callable[[], Any] = functools.partial(
            first_call,
            f"{replicas.steps_per_call} steps of {len(runs)} replicas",
            runs[0].jit_compile,
        )
        self._every = runs[0].evaluate_every
        self._dynamic = data.dynamic
        self._valid = datasets.binary_images(data.valid, data.dynamic)
        self._sources = [
            datasets.Batches(
                data.train,
                call_size,
                seed=seed,
                dynamic=data.dynamic,
                start_epoch=epoch,
            )
            for seed in replicas.sources
        ]
        self._posterior = (
            _sweep_files.PosteriorFile(
                out / "posterior.csv", runs, self._valid, epoch
            )
            if runs[0].posterior
            else None
        )
        # Of which it was said already.
        self._not_finite = set(replicas.not_finite()) if epoch else set()
        for replica in sorted(self._not_finite):
            logging.warning(
                "Replica %s was not finite when it was saved. The others go "
                "on.",
                _sweep_files.key(runs, replica),
            )
        self._rows = _files.rows_until(out / "metrics.csv", epoch)
        self._seconds = float(self._rows[-1]["seconds"]) if self._rows else 0.0

    def run(self) -> list[dict[str, Any]]:
        """Trains until `steps` are done; returns the rows of all epochs."""
        left = max(0, self._steps - self._replicas.step)
        bar = keras.utils.Progbar(left, width=20, unit_name="step")
        while self._replicas.step < self._steps:
            before = self._replicas.step
            elbos = self._train(bar, before - self._steps + left)
            self._check_finite(before, elbos)
            elbo = elbos.mean(0)
            self._epoch += 1
            due = self._epoch % self._every == 0
            found = self._evaluate() if due else {}
            if due and self._posterior is not None:
                self._posterior.measure(self._replicas, self._epoch)
            self._rows += self._rows_of({"elbo": elbo} | found)
            _files.write_csv(self._out / "metrics.csv", self._rows)
            if due or self._replicas.step >= self._steps:
                _sweep_files.save(
                    self._replicas, self._epoch, self._out / "checkpoints"
                )
        return self._rows

    def _train(self, bar: Any, done: int) -> np.ndarray:
        """Trains for an epoch, or its rest; returns the ELBOs, `[T, R]`."""
        begin, elbos = time.perf_counter(), []
        for source in self._sources:
            source.on_epoch_begin()
        for batch in self._batches():
            with self._first_call():
                elbos.append(self._replicas.train(batch).numpy())
            self._first_call = contextlib.nullcontext
            done += self._replicas.steps_per_call
            best = np.fmax.reduce(elbos[-1])  # NaN only if all are.
            bar.update(min(done, bar.target), [("elbo", best)])
            if self._replicas.step >= self._steps:
                break
        for source in self._sources:
            source.on_epoch_end()
        self._seconds += time.perf_counter() - begin
        return np.asarray(elbos, np.float64)

    def _batches(self) -> Iterator[np.ndarray]:
        """Yields the batches of an epoch; makes one while one is trained on.

        They are images, `[K * B, S, D]`, or, where pixels are not drawn anew,
        rows of those on the device, `[K * B, S]`.
        """
        take = (
            datasets.Batches.__getitem__
            if self._dynamic
            else datasets.Batches.rows
        )
        with futures.ThreadPoolExecutor(len(self._sources)) as pool:

            def begin(index: int) -> list[futures.Future[np.ndarray]]:
                return [pool.submit(take, s, index) for s in self._sources]

            coming = begin(0)
            for index in range(1, self._sources[0].num_batches + 1):
                parts = [future.result() for future in coming]
                if index < self._sources[0].num_batches:
                    coming = begin(index)
                yield np.stack(parts, 1)

    def _check_finite(self, before: int, elbos: np.ndarray) -> None:
        """Warns of each replica that is not finite any more.

        It goes on, as the others do, which it cannot disturb.

        Args:
          before: steps that were done before the epoch.
          elbos: of its calls, `[T, R]`.

        Raises:
          FloatingPointError: if no replica is finite.
        """
        finite = np.isfinite(elbos)
        bad = dict.fromkeys(np.flatnonzero(~finite.all(0)).tolist(), "its ELBO")
        bad |= self._replicas.not_finite()
        messages = {}
        for replica, name in bad.items():
            # A variable may be so after the last call.
            call = int(np.append(finite[:, replica], False).argmin())
            first = before + 1 + call * self._replicas.steps_per_call
            messages[replica] = (
                f"Replica {_sweep_files.key(self._runs, replica)} is not "
                f"finite from step {min(first, self._replicas.step)} on or "
                f"soon after: {name}. "
                + likely_cause(name, self._runs[replica])
            )
        if len(bad) == len(self._runs):
            raise FloatingPointError(
                f"{messages[0]} No replica is left. What was saved before "
                f"stays in {self._out}."
            )
        for replica in bad.keys() - self._not_finite:
            logging.warning("%s The others go on.", messages[replica])
        self._not_finite |= bad.keys()

    def _evaluate(self) -> dict[str, np.ndarray]:
        found = self._replicas.measure(self._valid, batch_size=EVALUATION_BATCH)
        return {f"val_{name}": values for name, values in found.items()}

    def _rows_of(self, found: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        common = {
            "step": self._replicas.step,
            "epoch": self._epoch,
            "seconds": f"{self._seconds:.3f}",
        }
        return [
            _sweep_files.key(self._runs, replica)
            | common
            | {name: f"{values[replica]:.6g}" for name, values in found.items()}
            for replica in range(len(self._runs))
        ]


def _finish(
    runs: list[VAESettings],
    replicas: Replicas,
    data: datasets.ImageDataset,
    rows: list[dict[str, Any]],
    out: pathlib.Path,
) -> dict[str, Any]:
    """Evaluates all replicas and writes what is left to write."""
    keys = [_sweep_files.key(runs, replica) for replica in range(len(runs))]
    for split in ("valid", "test"):
        found = replicas.measure(
            datasets.binary_images(getattr(data, split), data.dynamic),
            batch_size=EVALUATION_BATCH,
            bound_samples=runs[0].bound_samples,
        )
        for name, values in found.items():
            for own, value in zip(keys, values, strict=True):
                # JSON has no NaN, which is what a replica may come to.
                own[f"{split}_{name}"] = (
                    float(value) if np.isfinite(value) else None
                )
    finite = [own for own in keys if own["valid_elbo"] is not None]
    best = max(finite, key=lambda own: own["valid_elbo"], default=None)
    summary = {"step": replicas.step, "best": best, "replicas": keys}
    _files.write_json(out / "summary.json", summary)
    title = f"{runs[0].estimator}, {runs[0].architecture}, {data.name}"
    _sweep_files.draw(out / "curves.png", runs, rows, title)
    if best is None:
        logging.warning("No replica has a finite ELBO: lower learning_rate.")
    else:
        model = build_model(runs[best["replica"]], data)
        replicas.copy_to(model, best["replica"])
        _files.replace(out / "best.keras", model.save)
    logging.info("Best: %s", best)
    return summary
