"""`compile` of a model with an optimizer for each of two objectives."""

import abc
from typing import Any

import keras

from tf_relax.models import _optimizers
from tf_relax.models import _saved
from tf_relax.models._checks import check_compile
from tf_relax.models._checks import check_rhythm
from tf_relax.models._checks import check_scope
from tf_relax.models._replicated import ReplicatedModel


class CompiledModel(ReplicatedModel, abc.ABC):
    """A Keras model with two optimizers: the model's, the estimators'."""

    control_variate_function: Any

    def __init__(self, **kwargs: Any) -> None:
        """Takes the arguments of `keras.Model`."""
        super().__init__(**kwargs)
        self.steps_per_call = 1
        self.control_variate_every = 1
        self.bound_samples = 0
        self.kl_warmup_steps = 0

    @property
    @abc.abstractmethod
    def model_variables(self) -> list[Any]:
        """Returns the variables that the loss, not its variance, trains."""

    @property
    @abc.abstractmethod
    def estimator_variables(self) -> list[Any]:
        """Returns the variables that the control variate optimizer trains."""

    def compile(
        self,
        optimizer: Any = "adam",
        control_variate_optimizer: Any = None,
        *,
        steps_per_call: int = 1,
        control_variate_every: int = 1,
        bound_samples: int = 0,
        kl_warmup_steps: int = 0,
        jit_compile: Any = True,
        **kwargs: Any,
    ) -> None:
        """Sets up training.

        Args:
          optimizer: of encoder, decoder and prior; anything Keras takes.
          control_variate_optimizer: of the control variate, by the variance
            of the gradient. Default: Adam with the same learning rate.
          steps_per_call: K optimizer steps in one XLA program. `fit` is then
            given batches of K * B examples, which are cut into K steps of B.
            A last batch of N examples is cut into K steps of `N // K`, or,
            of fewer than K, into single images; leave it out, or choose sizes
            that divide.
          control_variate_every: n, a divisor of `steps_per_call`: the control
            variate learns in the first of every n steps, and stands still in
            the others, which are cheaper then. The gradient is unbiased all
            the same. Of a batch of fewer than K images, images may be left
            out or taken again to make whole rounds.
          bound_samples: of the `bound` at evaluation; 0 leaves it out.
          kl_warmup_steps: over so many steps, the weight of all terms but
            log p(x | b) rises linearly to 1. The metrics have it at 1.
          jit_compile: see `keras.Model.compile`; here on by default.
          **kwargs: see `keras.Model.compile`, such as `run_eagerly`.

        Raises:
          ValueError: if a number is out of range, a loss or metrics are
            given, one optimizer is given for both roles or accumulates
            gradients, or the model was made in the scope of another strategy.
        """
        check_compile(
            optimizer,
            control_variate_optimizer,
            at_least={
                "bound_samples": (bound_samples, 0),
                "kl_warmup_steps": (kl_warmup_steps, 0),
            },
            refused=kwargs,
        )
        check_rhythm(steps_per_call, control_variate_every)
        check_scope(self.strategy)
        jit_compile = jit_compile and not kwargs.get("run_eagerly")
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.control_variate_optimizer = _optimizers.of_control_variates(
            control_variate_optimizer, self.optimizer
        )
        _optimizers.check_optimizers(
            optimizer=self.optimizer,
            control_variate_optimizer=self.control_variate_optimizer,
        )
        self.steps_per_call = steps_per_call
        self.control_variate_every = control_variate_every
        self.bound_samples = bound_samples
        self.kl_warmup_steps = kl_warmup_steps
        self.control_variate_function = None
        _saved.build(self.optimizer, self.model_variables)
        _saved.build(self.control_variate_optimizer, self.estimator_variables)

    def get_compile_config(self) -> dict[str, Any] | None:
        """See `keras.Model.get_compile_config`."""
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        return {
            "optimizer": serialize(self.optimizer),
            "control_variate_optimizer": serialize(
                self.control_variate_optimizer
            ),
            "steps_per_call": self.steps_per_call,
            "control_variate_every": self.control_variate_every,
            "bound_samples": self.bound_samples,
            "kl_warmup_steps": self.kl_warmup_steps,
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """See `keras.Model.compile_from_config`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def step(self) -> int:
        """Returns how many optimizer steps are done."""
        return int(self.optimizer.iterations.numpy())

    def _finalize(self) -> None:
        """Puts moving averages of weights, where wanted, in their place."""
        for optimizer, variables in (
            (self.optimizer, self.model_variables),
            (self.control_variate_optimizer, self.estimator_variables),
        ):
            type(optimizer).finalize_variable_values(optimizer, variables)
