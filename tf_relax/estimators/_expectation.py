"""`E[f(b)]` as a tensor that any tape differentiates by an estimator."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_relax.estimators import _algebra
from tf_relax.estimators._estimator import Estimate
from tf_relax.estimators._estimator import Estimator
from tf_relax.estimators._estimator import raw
from tf_relax.estimators._evaluate import evaluate
from tf_relax.estimators._evaluate import ScalarFn


def expectation(
    f: ScalarFn,
    distribution: Any,
    *,
    estimator: Estimator,
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
        absolute value: `-expectation(reward, ...)` wants little variance too).

    No gradient of one kind leaks into another. The estimate is a constant:
    second derivatives through it are not defined.

    Args:
      f: `[..., E...] -> [...]`: reduces the axes of one joint outcome.
      distribution: one of `tf_relax.distributions`.
      estimator: an object such as `RELAX(c)`.
      seed: stateless seed, two integers. Same seed, same numbers (XLA draws
        other numbers than graph mode).
      num_samples: K. For K > 1, `f` is given `[K, B..., E...]` and returns
        `[K, B...]`. Default: as few as the estimator needs.
      context: handed to the control variate, for example the images.
      variables: tensors that the variance objective is differentiated by;
        default `estimator.trainable_variables`.

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
    if not isinstance(estimator, Estimator):
        raise TypeError(
            "`estimator` must be an object such as tf_relax.REBAR(). Received: "
            f"estimator={estimator!r}."
        )
    draw = estimator.draw(distribution, seed=seed, num_samples=num_samples)
    value = evaluate(f, draw, distribution.dtype)
    control_variate = estimator.bind(distribution, draw, f, context)
    if variables is None:
        variables = estimator.trainable_variables
    estimate = estimator.examples(
        distribution, draw, value, control_variate, variables
    )
    estimator.observe(tf.stop_gradient(value))
    mean = tf.reduce_mean(value, axis=0) if draw.num_samples > 1 else value
    parameters = distribution.given_parameters()
    return _attach(mean, estimate, parameters, list(variables))


def _attach(
    value: tf.Tensor,
    estimate: Estimate,
    parameters: dict[str, Any],
    variables: list[Any],
) -> tf.Tensor:
    """Returns `value` with the gradients of an `Estimate`."""

    @tf.custom_gradient
    def identity(value: tf.Tensor, *inputs: tf.Tensor) -> Any:
        def backward(upstream: tf.Tensor) -> Any:
            # Constants: their own derivatives would be of one sample.
            constant = {
                name: tf.stop_gradient(gradient)
                for name, gradient in estimate.gradients.items()
            }
            weighted = _algebra.reduce_to(
                _algebra.scale(constant, upstream), parameters
            )
            by_variable = estimate.tape.gradient(
                estimate.squared_norm,
                watched,
                # A loss of -E[reward] wants little variance no less.
                output_gradients=tf.abs(upstream),
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            # A float16 parameter's own chain goes on in float16.
            by_parameter = [
                tf.cast(weighted[name], parameter.dtype)
                for name, parameter in parameters.items()
            ]
            return (
                upstream,
                *by_parameter,
                *(tf.stop_gradient(g) for g in by_variable),
            )

        del inputs
        return tf.identity(value), backward

    tensors = [tf.convert_to_tensor(p) for p in parameters.values()]
    watched = raw(variables)
    tensors += [tf.convert_to_tensor(v) for v in watched]
    return identity(value, *tensors)
