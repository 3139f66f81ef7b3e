"""Draws of any discrete distribution, from the interval of its uniform."""

from collections.abc import Callable, Mapping
import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tf_relax.relaxations._draw import absent
from tf_relax.relaxations._draw import Gradients
from tf_relax.relaxations._draw import RelaxedDraw
from tf_relax.relaxations._noise import open_uniform
from tf_relax.relaxations._noise import split_seed

# (b, **parameters) -> the ends of the uniforms that give b.
Interval = Callable[..., tuple[tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class IntervalDraw(RelaxedDraw):
    """A draw `b = H(z)`, `z = relax(u)`, of units that have intervals of u.

    Derivatives by the parameters are TensorFlow's, of the two functions.

    Attributes:
      parameters: by name, of the shape of `sample`.
      relax: see `interval_draw`.
      interval: see `interval_draw`.
      u: the uniform of `z`, shape of `sample`.
      v: where `zt` lies in the interval of b: uniform, independent of `u`.
    """

    parameters: Gradients
    relax: Callable[..., tf.Tensor]
    interval: Interval
    u: tf.Tensor
    v: tf.Tensor
    unit_ndims: ClassVar[int] = 0

    def pathwise(self, derivative: tf.Tensor) -> Gradients:
        """See `RelaxedDraw.pathwise`."""
        return self._carried(derivative, lambda p: self.relax(self.u, **p))

    def conditional(self) -> tf.Tensor:
        """See `RelaxedDraw.conditional`."""
        return self._given_b(self.parameters, self.v)

    def conditional_pathwise(
        self, conditional: tf.Tensor, derivative: tf.Tensor
    ) -> Gradients:
        """See `RelaxedDraw.conditional_pathwise`."""
        del conditional
        return self._carried(derivative, lambda p: self._given_b(p, self.v))

    def coupled_pathwise(self, derivative: tf.Tensor) -> Gradients:
        """See `RelaxedDraw.coupled_pathwise`."""
        low, high = self.interval(self.sample, **self.parameters)
        v = (self.u - low) / (high - low)  # Where zt = z.
        return self._carried(
            derivative,
            lambda p: self.relax(self.u, **p) - self._given_b(p, v),
        )

    def _given_b(self, parameters: Gradients, v: tf.Tensor) -> tf.Tensor:
        low, high = self.interval(self.sample, **parameters)
        return self.relax(_inside(low + (high - low) * v), **parameters)

    def _carried(
        self, derivative: tf.Tensor, z: Callable[[Gradients], tf.Tensor]
    ) -> Gradients:
        return _derivatives(z, self.parameters, derivative)


class _NoScore(dict[str, tf.Tensor]):
    """The score of z where its density is not known."""

    def __missing__(self, name: str) -> Any:
        raise absent("IntervalDraw", "relaxed_score")

    def items(self) -> Any:
        """Raises a TypeError: who asks needs the score."""
        raise absent("IntervalDraw", "relaxed_score")


def interval_draw(
    relax: Callable[..., tf.Tensor],
    harden: Callable[[tf.Tensor], tf.Tensor],
    interval: Interval,
    parameters: Mapping[str, Any],
    seed: Any,
    num_samples: int = 1,
) -> IntervalDraw:
    """Returns the draw of a discrete distribution of one's own.

    Each unit is one number b, drawn from one uniform u that is monotone in it:

        z = relax(u, **parameters),  b = harden(z)
        b  if and only if  low < u < high,  (low, high) = interval(b)

    All else follows: `p(b) = high - low`; given b, u is uniform between low
    and high, which makes `z given b`; and so does the v of a `zt` that equals
    z. The result is what `draw` of a distribution returns, and `RELAX`,
    `Reinforce`, `LeaveOneOut`, `VarGrad` and `NVIL` take it. Estimators that
    ask for more, such as the mean, refuse it with a TypeError.

    Args:
      relax: `(u, **parameters) -> z`, monotone in u and differentiable in the
        parameters, unit by unit.
      harden: `z -> b`. It must not know the parameters.
      interval: `(b, **parameters) -> (low, high)`, differentiable in the
        parameters: of a distribution with a CDF, `F(b - 1)` and `F(b)`.
      parameters: `[B...]` each, by the names that the functions take.
      seed: stateless seed, two integers.
      num_samples: K. The axis of samples is there only for K > 1.

    Raises:
      ValueError: if the seed is not two integers.

    References:
      [1]: Grathwohl et al. Backpropagation through the Void. ICLR 2018.
           Appendix B, whose Bernoulli is the interval `(1 - p, 1)` of b = 1.
           https://arxiv.org/abs/1711.00123

    Examples:
      >>> logit = lambda u, l: l + tf.math.log(u) - tf.math.log1p(-u)
      >>> ends = lambda b, l: (tf.sigmoid(-l) * b, tf.sigmoid(-l) ** (1 - b))
      >>> harden = lambda z: tf.cast(z > 0, z.dtype)
      >>> draw = interval_draw(logit, harden, ends, {"l": [0.3, -1.0]}, (0, 1))
      >>> bool(tf.reduce_all(harden(draw.conditional()) == draw.sample))
      True
    """
    tensors = {n: tf.convert_to_tensor(x) for n, x in parameters.items()}
    shape = tf.zeros([], tf.int32)[tf.newaxis][:0]
    for x in tensors.values():
        shape = tf.broadcast_dynamic_shape(shape, tf.shape(x))
    if num_samples > 1:
        shape = tf.concat([[num_samples], shape], 0)
    tensors = {n: tf.broadcast_to(x, shape) for n, x in tensors.items()}
    dtype = next(iter(tensors.values())).dtype
    u, v = (open_uniform(s, shape, dtype) for s in split_seed(seed, 2))
    z = relax(u, **tensors)
    b = tf.stop_gradient(tf.cast(harden(z), dtype))

    def log_prob(p: Gradients) -> tf.Tensor:
        low, high = interval(b, **p)
        return tf.math.log(high - low)

    return IntervalDraw(
        sample=b,
        score=_derivatives(log_prob, tensors, tf.ones_like(b)),
        event_ndims=0,
        num_samples=num_samples,
        relaxed=z,
        relaxed_score=_NoScore(),
        parameters=tensors,
        relax=relax,
        interval=interval,
        u=u,
        v=v,
    )


def _derivatives(
    function: Callable[[Gradients], tf.Tensor],
    parameters: Gradients,
    weight: tf.Tensor,
) -> Gradients:
    """Returns `weight * d function / d parameter` of each unit."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(parameters)
        value = function(parameters)
    return tape.gradient(
        value,
        parameters,
        output_gradients=weight,
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )


def _inside(u: tf.Tensor) -> tf.Tensor:
    """Returns uniforms that did not round to 0 or 1."""
    half_step = {tf.float32: 2.0**-24, tf.float64: 2.0**-53}[u.dtype]
    return tf.clip_by_value(u, half_step, 1.0 - half_step)
