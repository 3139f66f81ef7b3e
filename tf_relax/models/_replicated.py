"""Keras' functions of a model that lives under a `tf.distribute` strategy."""

from collections.abc import Callable
import itertools
from typing import Any

import keras
import tensorflow as tf

from tf_relax.models import _distributed
from tf_relax.models import _steps

# No strategy. Scopes are entered later.
_DEFAULT = tf.distribute.get_strategy()


class ReplicatedModel(keras.Model):
    """A Keras model that replicates its steps by itself.

    Under a strategy, Keras would compile a step of all replicas by XLA, which
    cannot gather gradients, and cut a batch of K steps in R pieces, not each
    step. Here `train_step` and `test_step` are called outside of the replicas,
    with whole batches, in every process.

    Attributes:
      strategy: in whose scope the model was made; None without one.
    """

    strategy: Any = None
    train_function: Any
    test_function: Any
    predict_function: Any

    def __init__(self, **kwargs: Any) -> None:
        """Takes the arguments of `keras.Model`."""
        super().__init__(**kwargs)
        if tf.distribute.has_strategy():
            self.strategy = tf.distribute.get_strategy()

    @property
    def distribute_strategy(self) -> Any:
        """Returns what Keras distributes by: nothing, under a strategy."""
        if self.strategy is None:
            return super().distribute_strategy
        return _DEFAULT

    @property
    def num_processes(self) -> int:
        """Returns how many processes train this model."""
        if self.strategy is None:
            return 1
        local = len(self.strategy.extended.worker_devices)
        return int(self.strategy.num_replicas_in_sync // local)

    def make_train_function(self, force: bool = False) -> None:
        """See `keras.Model.make_train_function`."""
        if self.strategy is None:
            super().make_train_function(force)
        elif self.train_function is None or force:
            self.train_function = self._of_iterator(self.train_step)

    def make_test_function(self, force: bool = False) -> None:
        """See `keras.Model.make_test_function`."""
        if self.strategy is None:
            super().make_test_function(force)
        elif self.test_function is None or force:
            self.test_function = self._of_iterator(self.test_step)

    def make_predict_function(self, force: bool = False) -> None:
        """See `keras.Model.make_predict_function`; one device predicts."""
        if self.strategy is None:
            super().make_predict_function(force)
        elif self.predict_function is None or force:
            predict = self._graph(self.predict_step)
            self.predict_function = lambda batches: tf.concat(
                [predict(batch) for batch in batches], 0
            )

    def _run_steps(
        self,
        step: Callable[[tf.Tensor], tf.Tensor],
        images: tf.Tensor,
        num_steps: int,
        *,
        every: int = 1,
        between: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> tf.Tensor:
        """See `_steps.run_steps`; every replica takes each step."""
        if self.strategy is not None:
            step = _distributed.on_replicas(self, step)
            between = between and _distributed.on_replicas(self, between)
        return _steps.run_steps(
            step, images, num_steps, every=every, between=between
        )

    def _of_rows(
        self, function: Callable[..., Any], images: tf.Tensor, *args: Any
    ) -> Any:
        """Returns `function(images, share, *args)`, of a replica its rows."""
        if self.strategy is None:
            return function(images, tf.ones([]), *args)
        return _distributed.on_rows(self, function, images, *args)

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: Keras would read a batch, to build what is built."""

    def _of_iterator(self, step: Callable[..., Any]) -> Callable[..., Any]:
        graph = self._graph(step)

        def function(iterator: Any) -> Any:
            logs = None
            for data in itertools.islice(iterator, self.steps_per_execution):
                logs = graph(data)
            if logs is None:
                raise StopIteration
            return logs

        return function

    def _graph(self, step: Callable[..., Any]) -> Callable[..., Any]:
        if self.run_eagerly:
            return step
        graph: Callable[..., Any] = tf.function(
            step, autograph=False, reduce_retracing=True
        )
        return graph
