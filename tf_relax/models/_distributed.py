"""A replica's part of a step under a `tf.distribute` strategy.

Every replica is given the whole batch of a step, and takes its own rows. Both
objectives are means over the images, -ELBO and what the estimators' variables
minimise, so a replica differentiates its own mean, weighted by its share of
the images, and the optimizers add up what the replicas found. The noise is
that of one device with the whole batch, and what estimators remember is
averaged with the same weights. So the update is that of one device, up to
rounding.

Gradients are a program of XLA; the optimizers' updates are not, since
TensorFlow gathers gradients outside of such programs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_relax.relaxations import rows_of_batch


class Rows(NamedTuple):
    """The rows of a batch that a replica has; scalars."""

    start: tf.Tensor
    size: tf.Tensor
    total: tf.Tensor  # Of the batch.

    @property
    def share(self) -> tf.Tensor:
        """Returns the part of the batch, in float64."""
        return tf.cast(self.size, tf.float64) / tf.cast(self.total, tf.float64)


def on_replicas(
    model: Any, step: Callable[[tf.Tensor], tf.Tensor]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a step of all replicas.

    Args:
      model: an `EstimatorTrainer`. Its `elbo_tracker` gets the ELBOs.
      step: in the context of a replica, takes the whole batch and returns the
        mean ELBO of the replica's rows.

    Returns:
      A function of a batch, to 0: a sum over the replicas would be one more
      of them a step.
    """

    def on_replica(images: tf.Tensor) -> None:
        elbo = step(images)
        size = rows_of_replica()(images).size
        # The mean over no images is NaN, and weighs nothing.
        known = tf.where(size > 0, elbo, tf.zeros_like(elbo))
        model.elbo_tracker.update_state(known, size)

    def on_all(images: tf.Tensor) -> tf.Tensor:
        model.strategy.run(on_replica, args=(images,))
        return tf.zeros([])

    return on_all


def on_rows(
    model: Any, function: Callable[..., Any], images: tf.Tensor, *args: Any
) -> Any:
    """Returns `function(own images, share, *args)`, as a program of its own.

    It reads the model's variables, and its noise is that of the batch. What it
    assigns to variables, moving averages, is a mean over the replicas then.

    Args:
      model: an `EstimatorTrainer`.
      function: takes a replica's rows, their share of the batch, and `args`.
      images: the whole batch, `[B, ...]`.
      *args: tensors, or None.
    """
    variables = [
        *model.model_variables,
        *model.estimator_variables,
        *model.non_trainable_weights,
    ]
    rows_of = rows_of_replica()

    def pure(values: list[tf.Tensor], images: tf.Tensor, *args: Any) -> Any:
        rows = rows_of(images)
        pairs = list(zip(variables, values, strict=True))
        with (
            keras.StatelessScope(state_mapping=pairs) as scope,
            rows_of_batch(rows.start, rows.total, model.event_ndims),
        ):
            own = images[rows.start : rows.start + rows.size]
            found = function(own, rows.share, *args)
        after = map(scope.get_current_value, variables)
        return found, [
            None if new is old else _weighted(new, rows.share)
            for old, new in zip(values, after, strict=True)
        ]

    if not model.run_eagerly:
        pure = tf.function(
            pure, autograph=False, jit_compile=bool(model.jit_compile)
        )
    values = [tf.convert_to_tensor(v.value) for v in variables]
    found, parts = pure(values, images, *args)
    _assign_sums(
        [
            (variable.value, part)
            for variable, part in zip(variables, parts, strict=True)
            if part is not None
        ]
    )
    return found


def rows_of_replica() -> Callable[[tf.Tensor], Rows]:
    """Returns what tells the rows of a batch of the replica that calls this.

    Replicas differ by a row at most, where the batch does not divide.
    """
    context = tf.distribute.get_replica_context()
    count = context.num_replicas_in_sync
    # A number, not a tensor: XLA wants to know the sizes.
    index = int(tf.get_static_value(context.replica_id_in_sync_group))

    def rows_of(batch: tf.Tensor) -> Rows:
        total = tf.shape(batch)[0]
        least, rest = total // count, total % count
        start = index * least + tf.minimum(index, rest)
        return Rows(start, least + tf.cast(index < rest, tf.int32), total)

    return rows_of


def _weighted(x: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    # What was remembered of no images may be NaN, and weighs nothing.
    return tf.math.multiply_no_nan(x, tf.cast(share, x.dtype))


def _assign_sums(parts: list[tuple[Any, tf.Tensor]]) -> None:
    """Assigns sums over the replicas to variables, on all of them.

    Args:
      parts: variables, and what this replica adds to each.
    """
    if not parts:
        return
    replica = tf.distribute.get_replica_context()
    variables, values = map(list, zip(*parts, strict=True))

    def assign(strategy: Any, sums: list[Any]) -> None:
        for variable, value in zip(variables, sums, strict=True):
            strategy.extended.update(
                variable, lambda own, x: own.assign(x), args=(value,)
            )

    sums = replica.all_reduce(tf.distribute.ReduceOp.SUM, values)
    replica.merge_call(assign, args=(sums,))
