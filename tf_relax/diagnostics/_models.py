"""Models of the same networks, each with an estimator of its own."""

from collections.abc import Sequence

import keras

from tf_relax.models import DiscreteVAE


def models_of(
    model: DiscreteVAE,
    names: Sequence[str],
    *,
    temperature: float = 0.5,
    seed: int = 0,
) -> dict[str, DiscreteVAE]:
    """Returns a model by the name of each estimator, to be compared.

    The model itself stands under the name of its own estimator. The others
    have the same encoders and decoders, a copy of the prior, and control
    variates and an optimizer of their own, which
    `EstimatorTrainer.fit_control_variates` trains.

    Args:
      model: compiled.
      names: see `tf_relax.models.estimator_names`.
      temperature: of a relaxed f at the start.
      seed: of the others' control variates.
    """
    return {
        name: model
        if name == name_of(model)
        else _with_estimator(model, name, temperature, seed)
        for name in names
    }


def name_of(model: DiscreteVAE) -> str:
    """Returns the name of a model's own estimator, "model" if it has none."""
    return model.estimator if isinstance(model.estimator, str) else "model"


def _with_estimator(
    model: DiscreteVAE, name: str, temperature: float, seed: int
) -> DiscreteVAE:
    other = model.with_estimator(name, temperature=temperature, seed=seed)
    own = model.control_variate_optimizer
    other.compile(
        keras.optimizers.SGD(0.0),  # Of the networks, which stay.
        type(own).from_config(own.get_config()),
        jit_compile=model.jit_compile,
    )
    return other
