"""What users may hand to a model, and what they are told otherwise."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def check_compile(
    optimizer: Any,
    control_variate_optimizer: Any,
    *,
    at_least: Mapping[str, tuple[int, int]],
    refused: Mapping[str, Any],
) -> None:
    """Raises a ValueError if `compile` cannot mean what it is given.

    Args:
      optimizer: of the model.
      control_variate_optimizer: of what the estimators learn.
      at_least: numbers and their lower bounds, by name.
      refused: arguments; losses and metrics must not be among them.
    """
    for name in ("loss", "metrics", "weighted_metrics"):
        if refused.get(name) is not None:
            raise ValueError(
                f"`{name}` has no place here: the loss is -ELBO, and the "
                f"metrics are its own. Received: {name}={refused[name]!r}."
            )
    if control_variate_optimizer is optimizer and not isinstance(
        optimizer, str
    ):
        raise ValueError(
            "`control_variate_optimizer` must be another object than "
            "`optimizer`: each keeps the state of its own variables. "
            f"Received: {optimizer} for both."
        )
    for name, (number, lowest) in at_least.items():
        if number < lowest:
            raise ValueError(
                f"`{name}` must be at least {lowest}. Received: "
                f"{name}={number}."
            )


def check_replicas(replicas: int, steps_per_call: int) -> None:
    """Raises a ValueError if several replicas take several steps a call."""
    if replicas > 1 and steps_per_call > 1:
        raise ValueError(
            "Several replicas take one step a call: TensorFlow cannot "
            "gather their gradients inside a loop. Received: "
            f"steps_per_call={steps_per_call}, {replicas} replicas."
        )


def check_range(name: str, x: Any) -> None:
    """Raises a ValueError if an array is not in [0, 1]."""
    if isinstance(x, np.ndarray) and x.size:
        low, high = x.min(), x.max()
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"`{name}` must be in [0, 1]. Received: values from {low} to "
                f"{high}. Divide grey levels by 255."
            )
