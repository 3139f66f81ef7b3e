"""One draw of each stochastic layer, with what its estimator needs."""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any, NamedTuple

import tensorflow as tf

from tf_relax.control_variates import LayerFunction
from tf_relax.estimators import _algebra
from tf_relax.estimators import _checks
from tf_relax.estimators._estimator import Estimate
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._evaluate import evaluate
from tf_relax.estimators._evaluate import ScalarFn
from tf_relax.relaxations import Draw
from tf_relax.relaxations import fold_seed
from tf_relax.relaxations import validate_seed


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of a `Chain`, drawn.

    Attributes:
      distribution: given the layer below.
      draw: of it.
      seed: of the draw.
      estimator: of the layer.
    """

    distribution: Any
    draw: Draw
    seed: tf.Tensor
    estimator: Estimator

    @property
    def point(self) -> tf.Tensor:
        """Returns what f and the layer above are given."""
        point = self.estimator.point(self.draw, self.distribution)
        return tf.cast(point, self.distribution.dtype)

    @property
    def is_hard(self) -> bool:
        """Returns whether the point is the hard sample."""
        return self.estimator.relaxed_at is None


class LayerExamples(NamedTuple):
    """What `layer_examples` returns; lists have an entry a layer."""

    layers: list[Layer]
    control_variates: list[ScalarFn]  # As functions of z alone.
    estimates: list[Estimate]
    trained: tf.Tensor  # f at the layers' points, `[K, B...]`.
    hard: tf.Tensor  # f(b); the same tensor without a relaxed objective.
    samples: list[tf.Tensor]  # b, what f was given for `hard`.
    variables: Sequence[Any]  # Of the objectives.

    @property
    def value(self) -> tf.Tensor:
        """Returns f(b), mean over the samples, `[B...]`."""
        return _algebra.mean_of(self.hard, self.layers[0].draw)

    def mean_of(self, f: Callable[..., Any]) -> tf.Tensor:
        """Returns another function at the same b, mean over the samples."""
        draw = self.layers[0].draw
        return _algebra.mean_of(evaluate(f, self.samples, draw), draw)

    @property
    def trained_value(self) -> tf.Tensor:
        """Returns what is trained: f there, mean or bound, `[B...]`."""
        first = self.layers[0]
        return first.estimator.combine(self.trained, first.draw)

    def gradients(self, num_examples: Any) -> tf.Tensor:
        """Returns each example's gradient by all layers' parameters, flat.

        Without the factors of `Estimator.factor`.

        Args:
          num_examples: the size of one f(b).

        Returns:
          `[num_examples, P]`.
        """
        flat = []
        for layer, estimate in zip(self.layers, self.estimates, strict=True):
            for gradient in estimate.gradients.values():
                gradient /= tf.cast(layer.estimator.factor(), gradient.dtype)
                if layer.draw.num_samples > 1 and layer.draw.own_parameters:
                    shape = [layer.draw.num_samples, num_examples, -1]
                    by_sample = tf.reshape(gradient, shape)
                    gradient = tf.transpose(by_sample, [1, 0, 2])
                flat.append(tf.reshape(gradient, [num_examples, -1]))
        return tf.concat(flat, -1)


def layer_estimators(distribution: Any, estimator: Any) -> list[Estimator]:
    """Returns an estimator for each layer.

    Args:
      distribution: one of `tf_relax.distributions`, or a `Chain` of them.
      estimator: one, or a sequence of as many as there are layers.

    Raises:
      TypeError: if one is no estimator.
      ValueError: if there are more or fewer than layers.
    """
    num_layers = 1 + len(_conditionals(distribution))
    sequence = isinstance(estimator, list | tuple)
    estimators = list(estimator) if sequence else [estimator]
    for each in estimators:
        if not isinstance(each, Estimator):
            raise TypeError(
                "`estimator` must be an object such as tf_relax.REBAR(), or "
                f"a list of them. Received: estimator={each!r}."
            )
    if len(estimators) != num_layers:
        raise ValueError(
            "`estimator` must be one for each layer, in a list. Received: "
            f"{len(estimators)} for {num_layers} layers."
        )
    check_layers(estimators)
    return estimators


def check_layers(estimators: Sequence[Estimator]) -> None:
    """Raises an error if estimators cannot be those of layers, in order.

    Raises:
      TypeError: if one above the first layer couples samples.
      ValueError: if some are trained at hard samples and some are not, or
        some for a bound of several samples and some are not.
    """
    for estimator in estimators[1:]:
        _checks.check_coupling(estimator)
    if len({e.relaxed_at for e in estimators}) > 1:
        raise ValueError(
            "All layers must be trained at hard samples, or all at relaxed "
            "ones of one temperature. Received: "
            f"{[(type(e).__name__, e.relaxed_at) for e in estimators]}."
        )
    if len({type(e).combine for e in estimators}) > 1:
        raise ValueError(
            "All layers must train the mean of f(b), or all the same bound of "
            "several samples. Received: "
            f"{[type(e).__name__ for e in estimators]}."
        )


def layer_examples(
    f: Callable[..., Any],
    distribution: Any,
    estimator: Any,
    *,
    seed: tf.Tensor,
    num_samples: int | None = None,
    context: Any = None,
    variables: Sequence[Any] | None = None,
) -> LayerExamples:
    """Draws every layer; returns estimates of each example's gradients.

    This is what `expectation` attaches to its value. See `expectation` for
    the arguments; `variables` are those of `Estimator.examples`.
    """
    estimators = layer_estimators(distribution, estimator)
    layers = draw_layers(distribution, estimators, seed, num_samples)
    trained, hard, samples = evaluate_layers(f, distribution, layers)
    # This may build them, and make their variables.
    bound = [
        bind_layer(f, distribution, layers, index, context)
        for index in range(len(layers))
    ]
    if variables is None:
        # One estimator may serve several layers.
        own = {id(v): v for e in estimators for v in e.trainable_variables}
        variables = list(own.values())
    estimates = [
        layer.estimator.examples(
            layer.distribution, layer.draw, trained, c, variables
        )
        for layer, c in zip(layers, bound, strict=True)
    ]
    return LayerExamples(
        layers, bound, estimates, trained, hard, samples, variables
    )


def draw_layers(
    distribution: Any,
    estimators: Sequence[Estimator],
    seed: tf.Tensor,
    num_samples: int | None = None,
) -> list[Layer]:
    """Draws each layer, given the points of the one below.

    Args:
      distribution: one of `tf_relax.distributions`, or a `Chain` of them.
      estimators: one a layer.
      seed: stateless seed; the first layer's.
      num_samples: K; above the first layer, each sample goes its own way.
    """
    first = getattr(distribution, "first", distribution)
    num_samples = max(e.check_num_samples(num_samples) for e in estimators)
    draw = estimators[0].draw(first, seed=seed, num_samples=num_samples)
    layers = [Layer(first, draw, seed, estimators[0])]
    conditionals = _conditionals(distribution)
    for index, conditional in enumerate(conditionals, start=1):
        given = conditional(layers[-1].point)
        _checks.check_distribution(given)
        own_seed = fold_seed(validate_seed(seed), index)
        draw = dataclasses.replace(
            given.draw(own_seed),
            num_samples=layers[0].draw.num_samples,
            own_parameters=True,
            weights=layers[0].draw.weights,
        )
        draw = estimators[index].checked(given, draw, own_seed)
        layers.append(Layer(given, draw, own_seed, estimators[index]))
    return layers


def evaluate_layers(
    f: Callable[..., Any], distribution: Any, layers: Sequence[Layer]
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Returns f at the points that the layers have, at hard samples, and those.

    The values are the same tensor unless an estimator has a relaxed objective.
    """
    draw = layers[0].draw
    points = [layer.point for layer in layers]
    value = evaluate(f, points, draw)
    for number, layer in enumerate(layers[1:], start=2):
        shape = layer.draw.sample.shape
        if value.shape.rank is not None and not (
            shape[: value.shape.rank].is_compatible_with(value.shape)
        ):
            raise ValueError(
                "The shape of each layer must begin with that of f(b), the "
                f"samples and the examples. Received: layer {number} with "
                f"sample shape {shape}, f(b).shape={value.shape}. Let the "
                "distribution that follows from a sample keep its leading "
                "axes."
            )
    if all(layer.is_hard for layer in layers):
        return value, value, points
    samples = [tf.cast(draw.sample, layers[0].distribution.dtype)]
    pairs = zip(_conditionals(distribution), layers[1:], strict=True)
    for conditional, layer in pairs:
        given = conditional(samples[-1])
        samples.append(tf.cast(given.draw(layer.seed).sample, given.dtype))
    return value, evaluate(f, samples, draw), samples


def bind_layer(
    f: Callable[..., Any],
    distribution: Any,
    layers: Sequence[Layer],
    index: int,
    context: Any,
) -> ScalarFn:
    """Returns the control variate of a layer as a function of its z alone.

    Args:
      f: of all layers' samples.
      distribution: what was drawn from.
      layers: its draws.
      index: of the layer.
      context: handed to the control variate; if it is a function, of the
        samples below: `context(b_1, ..., b_(l-1))`.
    """
    layer = layers[index]
    below = tuple(x.point for x in layers[:index])
    conditionals = _conditionals(distribution)
    seeds = [x.seed for x in layers[1:]]
    above = tuple(zip(conditionals, seeds, strict=True))[index:]
    own = LayerFunction(f, below, above) if conditionals else f
    if callable(context):
        context = context(*below)
    return layer.estimator.bind(layer.distribution, layer.draw, own, context)


def _conditionals(distribution: Any) -> tuple[Callable[..., Any], ...]:
    """A distribution alone is a chain of one layer."""
    return tuple(getattr(distribution, "conditionals", ()))
