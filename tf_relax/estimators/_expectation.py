"""`E[f(b)]` as a tensor that any tape differentiates by an estimator."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimate
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._estimator import raw
from tf_relax.estimators._layers import Layer
from tf_relax.estimators._layers import layer_examples
from tf_relax.estimators._layers import LayerExamples


def expectation(
    f: Callable[..., Any],
    distribution: Any,
    *,
    estimator: Estimator | Sequence[Estimator],
    seed: tf.Tensor,
    num_samples: int | None = None,
    context: Any = None,
    variables: Sequence[Any] | None = None,
) -> tf.Tensor:
    """Returns `mean_k f(b_k)`, whose derivative is the estimator.

    In any tape, and so in one `tape.gradient(loss, all_variables)`,

      * the parameters of `distribution` get the gradient estimate, and what
        computed them (an encoder) the rest of the chain;
      * what `f` uses (a decoder) its plain gradient at the hard samples;
      * the variables of the control variate `d ||g_b||^2 / d variable` of
        each example, weighted as the loss weights the examples (by the
        absolute value: `-expectation(reward, ...)` wants little variance
        too), or of the objective that the estimator has in its place.

    No gradient of one kind leaks into another. The estimate is a constant:
    second derivatives through it are not defined.

    Args:
      f: `[..., E...] -> [...]`: reduces the axes of one joint outcome. Of a
        `Chain` it takes the samples of all layers.
      distribution: one of `tf_relax.distributions`.
      estimator: an object such as `RELAX(c)`; for a `Chain`, a list of one
        for each layer.
      seed: stateless seed, two integers. Same seed, same draws, eagerly,
        in graphs and under XLA.
      num_samples: K. For K > 1, `f` is given `[K, B..., E...]` and returns
        `[K, B...]`. Default: as few as the estimator needs.
      context: handed to the control variate, for example the images; for a
        `Chain` it may be a function of the samples below a layer.
      variables: tensors that the variance objective is differentiated by;
        default `estimator.trainable_variables`. With `[]`, a cheaper step in
        which the control variate learns nothing.

    Returns:
      A tensor of the shape of one `f(b)`, usually `[B]`.

    Raises:
      TypeError: if the estimator is not one, or not valid for the
        distribution.
      ValueError: if a shape, dtype, seed or number of samples is wrong.

    Examples:
      >>> import tf_relax as tfr
      >>> logits = tf.Variable(tf.zeros([3]))
      >>> f = lambda b: tf.reduce_sum((b - 0.499) ** 2, -1)
      >>> with tf.GradientTape() as tape:
      ...     q = tfr.distributions.Bernoulli(logits=logits)
      ...     loss = expectation(f, q, estimator=tfr.REBAR(), seed=(0, 0))
      >>> tape.gradient(loss, logits).shape
      TensorShape([3])
    """
    examples = layer_examples(
        f,
        distribution,
        estimator,
        seed=seed,
        num_samples=num_samples,
        context=context,
        variables=variables,
    )
    return attached_value(examples)


def attached_value(examples: LayerExamples) -> tf.Tensor:
    """Returns what `expectation` returns, of examples that are there.

    Args:
      examples: of `layer_examples`.
    """
    for layer, c in zip(
        examples.layers, examples.control_variates, strict=True
    ):
        layer.estimator.observe(tf.stop_gradient(examples.trained), c)
    value = examples.trained_value
    if examples.hard is not examples.trained:
        # The value of the true objective, the derivative of the relaxed.
        value += tf.stop_gradient(examples.value - value)
    return _attach(value, examples)


def _attach(value: tf.Tensor, examples: LayerExamples) -> tf.Tensor:
    """Returns `value` with the gradients of the layers' estimates."""
    layers, estimates = examples.layers, examples.estimates
    watched = raw(examples.variables)

    @tf.custom_gradient
    def identity(value: tf.Tensor, *inputs: tf.Tensor) -> Any:
        def backward(upstream: tf.Tensor) -> Any:
            by_parameter = [
                gradient
                for layer, estimate in zip(layers, estimates, strict=True)
                for gradient in _by_parameter(layer, estimate, upstream)
            ]
            by_variable = [
                _by_variable(estimate, upstream, watched)
                for estimate in estimates
            ]
            return (
                upstream,
                *by_parameter,
                *(
                    tf.stop_gradient(sum(g))
                    for g in zip(*by_variable, strict=True)
                ),
            )

        del inputs
        return tf.identity(value), backward

    parameters = [
        tf.convert_to_tensor(parameter)
        for layer in layers
        for parameter in layer.distribution.given_parameters().values()
    ]
    return identity(
        value, *parameters, *(tf.convert_to_tensor(v) for v in watched)
    )


def _by_parameter(
    layer: Layer, estimate: Estimate, upstream: tf.Tensor
) -> list[tf.Tensor]:
    """Returns the gradients by the parameters that a layer was given."""
    parameters = layer.distribution.given_parameters()
    # Constants: their own derivatives would be of one sample.
    constant = {
        name: tf.stop_gradient(gradient)
        for name, gradient in estimate.gradients.items()
    }
    if layer.draw.own_parameters and layer.draw.num_samples > 1:
        upstream = upstream[tf.newaxis]  # Parameters of each sample.
    weighted = _algebra.reduce_to(
        _algebra.scale(constant, upstream), parameters
    )
    # A float16 parameter's own chain goes on in float16.
    return [
        tf.cast(weighted[name], parameter.dtype)
        for name, parameter in parameters.items()
    ]


def _by_variable(
    estimate: Estimate, upstream: tf.Tensor, watched: list[Any]
) -> list[tf.Tensor]:
    """Returns the gradients of a layer's objective."""
    return estimate.tape.gradient(
        estimate.objective,
        watched,
        # A loss of -E[reward] wants little variance no less.
        output_gradients=tf.abs(upstream),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
