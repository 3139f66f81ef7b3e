"""Several stochastic layers, each given the one below."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_relax.distributions._methods import GradientMethods

Conditional = Callable[[tf.Tensor], Any]


class Chain:
    """`q(b_1) q(b_2 | b_1) ... q(b_L | b_(L-1))`, for `tf_relax.expectation`.

    A function f of a chain takes all samples, `f(b_1, ..., b_L)`, and an
    estimator of a chain is one for each layer. The estimate of layer l holds
    the samples below fixed; a relaxed f re-runs the layers above from the
    relaxed sample of layer l, relaxed too, with the noise that they had.

    Args:
      first: q(b_1), one of `tf_relax.distributions`.
      *conditionals: functions from a sample of a layer, hard or relaxed, to
        the distribution of the next, whose batch shape begins with the
        sample's leading axes. Each must be pure. Above a layer whose control
        variate has the relaxed f, all must be discrete.

    Raises:
      TypeError: if `first` is not such a distribution, or another argument
        is no function.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           Section 5.2. https://arxiv.org/abs/1711.00123

    Examples:
      >>> import tf_relax as tfr
      >>> tfrd = tfr.distributions
      >>> kernel = tf.constant([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]])
      >>> q = Chain(
      ...     tfrd.Bernoulli(logits=tf.zeros([24, 3])),
      ...     lambda b_1: tfrd.Bernoulli(logits=tf.matmul(b_1, kernel)))
      >>> f = lambda b_1, b_2: tf.reduce_sum(b_1, -1) * tf.reduce_sum(b_2, -1)
      >>> loss = tfr.expectation(
      ...     f, q, estimator=[tfr.REBAR(), tfr.REBAR()], seed=(0, 0))
      >>> loss.shape
      TensorShape([24])
    """

    def __init__(self, first: Any, *conditionals: Conditional) -> None:
        """See the class."""
        if not isinstance(first, GradientMethods):
            raise TypeError(
                "`first` must be one of tf_relax.distributions. Received: "
                f"{type(first).__module__}.{type(first).__name__}."
            )
        for conditional in conditionals:
            if isinstance(conditional, GradientMethods) or not callable(
                conditional
            ):
                raise TypeError(
                    "What follows the first layer must be functions from a "
                    "sample to a distribution. Received: "
                    f"{type(conditional).__name__}."
                )
        self.first = first
        self.conditionals = conditionals

    def __len__(self) -> int:
        """Returns the number of layers."""
        return 1 + len(self.conditionals)
