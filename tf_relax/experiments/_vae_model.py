"""Settings of a VAE run, and the model that they describe."""

from collections.abc import Callable
import dataclasses
from typing import Any

import keras

from tf_relax import datasets
from tf_relax._names import unknown
from tf_relax.experiments._precision import PRECISIONS
from tf_relax.experiments._settings import LARGEST_BETA
from tf_relax.experiments._settings import setting
from tf_relax.models import architecture
from tf_relax.models import architectures
from tf_relax.models import DiscreteVAE
from tf_relax.models import estimator_names


def _cosine(rate: float, steps: int, end: float) -> Any:
    return keras.optimizers.schedules.CosineDecay(rate, steps, end)


def _linear(rate: float, steps: int, end: float) -> Any:
    return keras.optimizers.schedules.PolynomialDecay(rate, steps, rate * end)


def _exponential(rate: float, steps: int, end: float) -> Any:
    return keras.optimizers.schedules.ExponentialDecay(rate, steps, end)


_MOMENTUM = 0.9  # By default.
# Of (learning rate or schedule, settings).
OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "adam": lambda rate, its: keras.optimizers.Adam(rate, beta_2=its.beta2),
    "sgd": lambda rate, its: keras.optimizers.SGD(rate, momentum=its.momentum),
}

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
        "mnist", "Images.", choices=sorted(datasets.LOADERS), section="Data"
    )
    data_dir: str = setting(
        "",
        "Folder or file of your own data: idx(.gz), mnist.npz or .amat for "
        "mnist, chardata.mat for omniglot. Empty: the embedded mnist.",
    )
    binarization: str = setting(
        "static",
        "Pixels are drawn once, or afresh at each use.",
        choices=datasets.BINARIZATIONS,
    )
    architecture: str = setting(
        "nonlinear",
        "Stochastic layers, and the networks between them.",
        choices=architectures(),
        section="Model",
    )
    num_latents: int = setting(
        0, "Units of each layer; 0: 200, or 20 of categorical.", 0
    )
    num_classes: int = setting(
        0,
        "Classes of a one-hot unit; 0: 10 of categorical, else Bernoulli "
        "units.",
        0,
    )
    estimator: str = setting(
        "relax",
        "Of the gradient by the encoder.",
        choices=estimator_names(),
        layered=True,
        section="Estimator",
    )
    num_samples: int = setting(
        0, "Samples of b an image; 0: as few as the estimator needs.", 0
    )
    temperature: float = setting(
        0.5,
        "Of the relaxed f, in units of the logits, at the start; it is "
        "learned, but for concrete.",
        1e-3,
    )
    batch_size: int = setting(
        100, "Images an optimizer step.", 1, section="Training"
    )
    steps: int = setting(
        10_000, "Optimizer steps, up to a multiple of steps_per_call.", 1
    )
    steps_per_call: int = setting(50, "Optimizer steps in one program.", 1)
    optimizer: str = setting(
        "adam",
        "Of encoder, decoder and prior; the control variate's is adam.",
        choices=OPTIMIZERS,
    )
    learning_rate: float = setting(
        1e-3, "Of encoder, decoder and prior, a step.", 0.0
    )
    beta2: float = setting(
        0.999,
        "Of adam: what a step keeps of second moments.",
        0.0,
        LARGEST_BETA,
    )
    momentum: float = setting(
        _MOMENTUM, "Of sgd: what a step keeps of the last.", 0.0, LARGEST_BETA
    )
    learning_rate_schedule: str = setting(
        "constant", "Of both optimizers.", choices=SCHEDULES
    )
    decay_steps: int = setting(
        0, "Steps until a schedule other than constant is at its end.", 0
    )
    final_learning_rate: float = setting(
        0.0, "Part of learning_rate that a schedule ends at.", 0.0, 1.0
    )
    control_variate_learning_rate_factor: float = setting(
        1.0,
        "Learning rate of its adam, in units of learning_rate; sgd's are "
        "larger and want less than 1.",
        0.0,
        section="Control variate",
    )
    control_variate_every: int = setting(
        1,
        "Optimizer steps of which it learns in the first; divides "
        "steps_per_call.",
        1,
    )
    control_variate_pretraining: int = setting(
        0, "Optimizer steps of it alone, before all others.", 0
    )
    network_depth: int = setting(
        2, "Hidden layers, of 200 ReLU units, of its network.", 1
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
        1,
        "Epochs between two evaluations and checkpoints.",
        1,
        section="Measurements",
    )
    variance_of: str = setting(
        "",
        "Estimators whose gradient variances, in nats^2, variance.csv follows; "
        "their control variates are trained beside, and begin anew when a run "
        "is resumed. Empty: none.",
        choices=estimator_names(),
        several=True,
    )
    posterior: bool = setting(
        False,
        "Whether posterior.csv follows, at each evaluation, what the posterior "
        "does: KL and entropy in nats, active units.",
    )
    bound_samples: int = setting(
        100, "Samples an image of the bound at the end; 0: no bound.", 0
    )
    jit_compile: bool = setting(
        True, "Whether XLA compiles the steps.", section="Computation"
    )
    matmul_precision: str = setting(
        "tensorfloat32", "Of matrix products.", choices=PRECISIONS
    )
    seed: int = setting(0, "Seed of weights, order of images and draws.", 0)


def make_model(
    settings: VAESettings, data: datasets.ImageDataset
) -> DiscreteVAE:
    """Returns the compiled model, its control variate pretrained if asked."""
    model = build_model(settings, data)
    model.compile(
        *make_optimizers(settings),
        steps_per_call=settings.steps_per_call,
        control_variate_every=settings.control_variate_every,
        kl_warmup_steps=kl_warmup_steps(settings, data),
        jit_compile=settings.jit_compile,
    )
    if settings.control_variate_pretraining:
        model.fit_control_variates(
            datasets.binary_images(data.train, data.dynamic),
            settings.batch_size,
            settings.control_variate_pretraining,
        )
    return model


def build_model(
    settings: VAESettings, data: datasets.ImageDataset
) -> DiscreteVAE:
    """Returns the model, without optimizers."""
    # The paper's code has the mean over units of squares of gradients of a
    # mean over the batch, where ours has a mean over the batch of sums.
    num_latents = settings.num_latents or None
    num_classes = settings.num_classes or None
    made_of = architecture(settings.architecture, num_latents, num_classes)
    unit = made_of.layer_size * settings.batch_size**2
    return DiscreteVAE(
        settings.architecture,
        num_latents,
        each_layers(settings.estimator),
        data.mean,
        num_samples=settings.num_samples or None,
        temperature=settings.temperature,
        estimator_options={
            "hidden": (200,) * settings.network_depth,
            "weight_decay": settings.network_weight_decay * unit,
            "coupled": settings.coupled,
        },
        image_shape=data.train.shape[1:],
        num_classes=num_classes,
        seed=settings.seed,
    )


def each_layers(names: str) -> str | list[str]:
    """Returns an estimator's name, or one a layer if there is a + between."""
    return names.split("+") if "+" in names else names


def kl_warmup_steps(settings: VAESettings, data: datasets.ImageDataset) -> int:
    """Returns in how many steps the weight of the KL term rises to 1."""
    steps_per_epoch = len(data.train) // settings.batch_size
    return round(settings.kl_warmup_epochs * steps_per_epoch)


def make_optimizers(settings: VAESettings) -> list[Any]:
    """Returns the optimizers of the model and of the control variate.

    Raises:
      ValueError: if one is unknown or has no momentum, or a schedule is unknown
        or has no length.
    """
    if settings.optimizer not in OPTIMIZERS:
        raise ValueError(unknown("optimizer", settings.optimizer, OPTIMIZERS))
    if settings.optimizer != "sgd" and settings.momentum != _MOMENTUM:
        raise ValueError(
            f"optimizer={settings.optimizer} has no momentum. Received: "
            f"momentum={settings.momentum:g}. Choose optimizer=sgd, or leave "
            "it out."
        )
    of_model, of_variate = _learning_rates(settings)
    return [
        OPTIMIZERS[settings.optimizer](of_model, settings),
        OPTIMIZERS["adam"](of_variate, settings),
    ]


def _learning_rates(settings: VAESettings) -> list[Any]:
    """Returns their learning rates or schedules."""
    name = settings.learning_rate_schedule
    if name not in SCHEDULES:
        raise ValueError(unknown("learning_rate_schedule", name, SCHEDULES))
    if name != "constant" and not settings.decay_steps:
        raise ValueError(
            f"learning_rate_schedule={name} needs decay_steps, the steps until "
            f"its end, such as those of the run: {settings.steps}. Received: "
            "decay_steps=0."
        )
    if name == "constant" and settings.decay_steps:
        raise ValueError(
            "learning_rate_schedule=constant has no decay_steps. Received: "
            f"decay_steps={settings.decay_steps}. Choose another schedule, or "
            "leave them out."
        )
    if name == "exponential" and not settings.final_learning_rate:
        raise ValueError(
            "learning_rate_schedule=exponential needs final_learning_rate > 0. "
            "Received: final_learning_rate=0."
        )
    rate, steps = settings.learning_rate, settings.decay_steps
    # A schedule counts its own optimizer's steps.
    of_variate = (
        rate * settings.control_variate_learning_rate_factor,
        steps // settings.control_variate_every,
    )
    return [
        SCHEDULES[name](*own, settings.final_learning_rate)
        for own in ((rate, steps), of_variate)
    ]
