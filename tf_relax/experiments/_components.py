"""What a RELAX estimate is made of, drawn many times at one image."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax import datasets
from tf_relax.estimators import RELAX
from tf_relax.estimators import value_and_derivative
from tf_relax.experiments import _files
from tf_relax.experiments._progress import first_call
from tf_relax.experiments._settings import setting

_BATCH = 1000
_BINS = 80


@dataclasses.dataclass(frozen=True)
class ComponentsSettings:
    """What is drawn; the flags of `bin/components.py`."""

    dataset: str = setting(
        "mnist", "Images.", choices=sorted(datasets.LOADERS), section="Data"
    )
    data_dir: str = setting("", "Your own data. Empty: the embedded mnist.")
    image: int = setting(0, "Number of the validation image.", 0)
    num_draws: int = setting(10_000, "Draws, rounded up to thousands.", 1)
    seed: int = setting(0, "Seed of the draws.", 0)


def components(
    settings: ComponentsSettings, model_path: pathlib.Path, out: pathlib.Path
) -> list[dict[str, Any]]:
    """Draws the components of RELAX by one logit, and writes histograms.

        REINFORCE[f] = f(b) s, REINFORCE[c] = c(zt) s,
        reparam[c] = d c(z) - d c(zt), RELAX = their sum with signs + - +

    The logit is the one of the image whose bit is closest to a fair coin.

    Args:
      settings: which image, how many draws.
      model_path: a `.keras` file of a one-layer `DiscreteVAE` trained by
        coupled RELAX or REBAR.
      out: the CSV file: `component, mean, variance, left, right, count`, a
        row for each bin.

    Returns:
      A row for each component: `component, mean, variance, log_variance`.

    Raises:
      FileNotFoundError: if there is no model.
      ValueError: if the model has another estimator.
    """
    model = _files.load_vae(model_path)
    (estimator,) = model.estimators[:1]
    if (
        model.num_classes
        or len(model.estimators) > 1
        or not (isinstance(estimator, RELAX) and estimator.coupled)
    ):
        raise ValueError(
            "The components are those of coupled RELAX or REBAR on one layer "
            f"of bits. Received: {model_path} with {model.estimator}, "
            f"{len(model.estimators)} layers, {model.num_classes} classes."
        )
    data = datasets.load(settings.dataset, data_dir=settings.data_dir or None)
    if settings.image >= len(data.valid):
        raise ValueError(
            f"`image` must be below {len(data.valid)}, the number of "
            f"validation images. Received: image={settings.image}."
        )
    image = datasets.binary_images(data.valid, data.dynamic)[settings.image]
    images = tf.constant(np.tile(image, [_BATCH, 1]))
    fair = tf.argmin(tf.abs(model.posterior(images[:1]).logits[0]))

    @tf.function(jit_compile=True, autograph=False)
    def run(seed: tf.Tensor) -> tf.Tensor:
        q = model.posterior(images)
        f = model.negative_elbo(q, images)
        draw = estimator.draw(q, seed=seed, num_samples=1)
        value = f(draw.sample)
        control_variate = estimator.bind(q, draw, f, model.context(images)())
        c, slope = value_and_derivative(control_variate, draw.relaxed, value)
        score = tf.gather(draw.score["logits"], fair, axis=-1)
        pathwise = draw.coupled_pathwise(slope)["logits"]
        pathwise = tf.gather(pathwise, fair, axis=-1)
        parts = [value * score, c * score, pathwise]
        return tf.stack([*parts, parts[0] - parts[1] + parts[2]], -1)

    calls = -(-settings.num_draws // _BATCH)
    with first_call(f"{_BATCH} draws", True):
        drawn = [run(tf.constant([settings.seed, 0])).numpy()]
    drawn += [
        run(tf.constant([settings.seed, i])).numpy() for i in range(1, calls)
    ]
    draws = np.concatenate(drawn).astype(np.float64)
    names = ("REINFORCE[f]", "REINFORCE[c]", "reparam[c]", "RELAX")
    rows, summary = [], []
    for name, x in zip(names, draws.T, strict=True):
        key = {
            "component": name,
            "mean": f"{x.mean():.6g}",
            "variance": f"{x.var(ddof=1):.6g}",
        }
        counts, edges = np.histogram(x, _BINS)
        rows += [
            key | {"left": f"{a:.6g}", "right": f"{b:.6g}", "count": int(n)}
            for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
        log_variance = float(np.log(x.var(ddof=1)))
        summary.append(key | {"log_variance": f"{log_variance:.3f}"})
    _files.write_csv(out, rows)
    return summary
