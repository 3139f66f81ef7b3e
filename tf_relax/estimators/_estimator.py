"""The frame of every estimator: sample, evaluate, combine, return."""

import abc
from collections.abc import Sequence
import dataclasses
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_relax.control_variates import bind
from tf_relax.estimators import _algebra
from tf_relax.estimators import _checks
from tf_relax.estimators._evaluate import evaluate
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.relaxations import Draw
from tf_relax.relaxations import fold_seed
from tf_relax.relaxations import Gradients
from tf_relax.relaxations import validate_seed

_REDRAW = 17  # Salt of an estimator's own noise.


class GradientEstimate(NamedTuple):
    """An estimate of `dE[f(b)]` by `estimate` or a distribution's method."""

    value: tf.Tensor  # `combine` of f(b): the mean. Shape of one f(b).
    sample: tf.Tensor  # b, with a leading axis if num_samples > 1.
    gradients: Gradients  # By the names of the user's parameters.
    variance_gradients: list[tf.Tensor]  # By c.trainable_variables.


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Gradients of single examples, and what each wants to be small.

    Attributes:
      gradients: `[B..., E...]` each, by the user's parameters; axes of `E`
        along which a parameter is broadcast are summed.
      squared_norm: `||g_b||^2` of each example, `[B...]`.
      objective: what the estimator's variables minimise, of each example,
        `[B...]`: the squared norm, but for estimators with one of their own.
      tape: persistent; knows `objective` as a function of the variables.
    """

    gradients: Gradients
    squared_norm: tf.Tensor
    objective: tf.Tensor
    tape: tf.GradientTape


class Estimator(abc.ABC):
    """Base class. A subclass writes `gradient`, and is an estimator.

    Attributes:
      control_variate: any callable `c(z)`, a layer of
        `tf_relax.control_variates`, or None.
      min_samples: how many samples it needs at least; also the default.
      samples_step: what the number of samples must be a multiple of.
      needs: the kind of draw that it is valid for.
      counterpart: the estimator for the other discrete family, if any.
      couples: whether the samples depend on each other. They must then be of
        one distribution, the first layer of a `Chain`.
      in_layers: if it couples, what two layers may have; by default itself
        and `LeaveOneOut`.
      biased: whether its mean is another gradient than that of E[f(b)].
      relaxed_at: the temperature of the samples that f is trained at; None if
        they are hard.
    """

    needs: type[Draw] = Draw
    counterpart: str = ""
    control_variate: Any = None
    min_samples: int = 1
    samples_step: int = 1
    couples: bool = False
    in_layers: str = ""
    biased: bool = False
    relaxed_at: float | None = None

    @abc.abstractmethod
    def gradient(
        self, draw: Any, value: tf.Tensor, control_variate: ScalarFn
    ) -> Gradients:
        """Returns the estimate for each sample, by canonical parameters.

        Args:
          draw: of the kind `needs`, with shapes `[K, B..., E...]`; the axis
            of samples is there only for `num_samples > 1`.
          value: `f(b)`, `[K, B...]`, a constant.
          control_variate: `c(z)`, maps the shape of `b` to that of `value`.
        """

    def redraw(self, draw: Any, seed: tf.Tensor) -> Draw:
        """Returns the draw that is used, made of K independent samples.

        For estimators whose samples are coupled or weighted, or that want
        more noise. Each sample of the result must have the distribution's
        law, or the samples weights that make up for it.

        Args:
          draw: of the kind `needs`, of K independent samples.
          seed: for more noise; `draw` is made of other seeds.
        """
        del seed
        return draw

    def combine(self, value: tf.Tensor, draw: Draw) -> tf.Tensor:
        """Returns what is minimised in the mean, of each example.

        Here the mean of the K values; for a bound of several samples,
        something else, see `BoundEstimator`.

        Args:
          value: `f(b)`, `[K, B...]`.
          draw: see `gradient`.
        """
        return _algebra.mean_of(value, draw)

    def point(self, draw: Any, distribution: Any) -> tf.Tensor:
        """Returns what f is trained at: b, but for a relaxed objective."""
        del distribution
        return draw.sample

    def objective(
        self, squared_norm: tf.Tensor, draw: Any, value: tf.Tensor, c: ScalarFn
    ) -> tf.Tensor:
        """Returns what its variables minimise, of each example.

        Args:
          squared_norm: `||g_b||^2`, whose derivative is the variance's.
          draw: see `gradient`.
          value: `f(b)`, of each sample.
          c: the control variate.
        """
        del draw, value, c
        return squared_norm

    def factor(self) -> Any:
        """Returns what the mean of the estimate is, in true gradients: 1."""
        return 1.0

    def observe(self, value: tf.Tensor, c: ScalarFn) -> None:
        """Takes notice of f(b) after it was used; for moving averages."""
        del value, c  # Nothing to remember here.

    @property
    def layers(self) -> list[Any]:
        """Returns the Keras layers that hold state, for a model to track."""
        layer = isinstance(self.control_variate, keras.layers.Layer)
        return [self.control_variate] if layer else []

    @property
    def trainable_variables(self) -> list[Any]:
        """Returns the variables that the variance objective trains."""
        return list(getattr(self.control_variate, "trainable_variables", []))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Estimator":
        """Returns the estimator that `get_config` describes."""
        return cls(**keras.saving.deserialize_keras_object(config))

    def estimate(
        self,
        f: ScalarFn,
        distribution: Any,
        *,
        seed: tf.Tensor,
        num_samples: int | None = None,
        context: Any = None,
    ) -> GradientEstimate:
        """Estimates the gradient of `E[f(b)]` at the parameters.

        Where `f` itself depends on the parameters, that partial derivative at
        the hard sample is added to the gradients; it is no part of the norm
        that `variance_gradients` is the derivative of.

        Args:
          f: `[..., E...] -> [...]`, TensorFlow or not.
          distribution: one of `tf_relax.distributions`.
          seed: stateless seed, two integers.
          num_samples: K. For K > 1, `f` sees a leading axis of size K.
          context: handed to the control variate, for example the images.

        Returns:
          A `GradientEstimate`. `variance_gradients` are the derivatives of
          the sum over the examples of `||g_b||^2`.

        Raises:
          TypeError: if the estimator is not valid for the distribution.
          ValueError: if a shape, dtype, seed or number of samples is wrong.
        """
        draw = self.draw(distribution, seed=seed, num_samples=num_samples)
        parameters = distribution.given_parameters()
        sample = tf.cast(draw.sample, distribution.dtype)
        point = tf.cast(self.point(draw, distribution), distribution.dtype)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            value = evaluate(f, [point], draw)
            mean = self.combine(value, draw)
        direct = tape.gradient(mean, parameters)
        control_variate = self.bind(distribution, draw, f, context)
        result = self.examples(distribution, draw, value, control_variate)
        variance_gradients = result.tape.gradient(
            result.objective,
            raw(self.trainable_variables),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        self.observe(value, control_variate)
        if self.relaxed_at is not None:
            mean = self.combine(evaluate(f, [sample], draw), draw)
        gradients = _algebra.reduce_to(result.gradients, parameters)
        gradients = {
            name: gradient
            if direct[name] is None
            else gradient + tf.cast(direct[name], gradient.dtype)
            for name, gradient in gradients.items()
        }
        return GradientEstimate(mean, sample, gradients, variance_gradients)

    def check_num_samples(self, num_samples: int | None) -> int:
        """Returns the number of samples, `min_samples` by default.

        Raises:
          ValueError: if the estimator cannot use so many.
        """
        return _checks.check_num_samples(self, num_samples)

    def draw(
        self, distribution: Any, *, seed: tf.Tensor, num_samples: int | None
    ) -> Any:
        """Returns the draw that the estimator uses.

        Raises:
          TypeError: if the distribution is none of this package, or not one
            that the estimator is valid for.
          ValueError: if the estimator cannot use so many samples.
        """
        _checks.check_distribution(distribution)
        num_samples = self.check_num_samples(num_samples)
        draw = distribution.draw(seed, num_samples)
        return self.checked(distribution, draw, seed)

    def checked(self, distribution: Any, draw: Draw, seed: tf.Tensor) -> Any:
        """Returns a distribution's draw in the form that is used.

        Raises:
          TypeError: if the estimator is not valid for such a draw.
          ValueError: if its number of axes is unknown.
        """
        name = type(distribution).__name__
        _checks.check_kind(self, type(draw), name)
        _checks.check_rank(draw, name)
        return self.redraw(draw, fold_seed(validate_seed(seed), _REDRAW))

    def bind(
        self, distribution: Any, draw: Draw, f: ScalarFn, context: Any = None
    ) -> ScalarFn:
        """Returns the control variate as a function of z alone, built."""
        return bind(self.control_variate, distribution, draw, f, context)

    def examples(
        self,
        distribution: Any,
        draw: Draw,
        value: tf.Tensor,
        control_variate: ScalarFn,
        variables: Sequence[Any] | None = None,
    ) -> Estimate:
        """Returns each example's gradient and its squared norm.

        This is the core under the methods, `expectation`, the models and the
        policy gradients: it takes the draw and the value of `f`, not `f`.

        Args:
          distribution: where `draw` came from.
          draw: what `draw` returned.
          value: `f(b)`, without the axes of one joint outcome.
          control_variate: `c(z)`, see `bind`.
          variables: what the variance objective is differentiated by, when
            that is not `trainable_variables` (for stateless calls).
        """
        variables = self.trainable_variables if variables is None else variables
        value = tf.stop_gradient(value)
        with tf.GradientTape(
            persistent=True, watch_accessed_variables=False
        ) as tape:
            tape.watch(raw(variables))
            canonical = self.gradient(draw, value, control_variate)
            _checks.check_gradients(self, canonical, draw)
            one = value  # f(b) of what has parameters of its own.
            if draw.num_samples > 1 and draw.own_parameters:
                canonical = _algebra.scale(
                    canonical, _algebra.share_of_samples(value, draw)
                )
            elif draw.num_samples > 1:
                canonical = _algebra.mean_over_samples(canonical, draw)
                one = value[0]
            gradients = _algebra.sum_within_examples(
                distribution.pull_back(canonical),
                distribution.given_parameters(),
                one,
            )
            squared_norm = _algebra.squared_norm(gradients, one)
            if draw.num_samples > 1 and draw.own_parameters:
                squared_norm = tf.reduce_sum(squared_norm, 0)
            objective = self.objective(
                squared_norm, draw, value, control_variate
            )
        return Estimate(gradients, squared_norm, objective, tape)


def raw(variables: Sequence[Any]) -> list[Any]:
    """Returns what a tape can watch: the values of Keras variables."""
    return [v.value if isinstance(v, keras.Variable) else v for v in variables]
