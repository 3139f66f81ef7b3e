"""What an estimator may ask of one draw."""

import abc
import dataclasses
from typing import ClassVar

import tensorflow as tf

# Derivatives keyed by the canonical parameters of a distribution.
Gradients = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Draw:
    """Draws of a distribution. All tensors have the shape of `sample`.

    Attributes:
      sample: the hard sample `b`, `[K, B..., E...]`, without a gradient.
      score: `d log p(b) / d parameter`, by the canonical parameter's name.
      event_ndims: how many trailing axes of `sample` are one outcome. `f`
        has to reduce at least these.
      num_samples: K; tensors have a leading axis of this size if K > 1.
      own_parameters: whether each of the K samples has parameters of its
        own, with the same leading axis: above the first layer of a `Chain`.
      weights: None, or what the samples count, `[K, B...]`, in place of
        `1 / K`: the mean of `sum_k weights_k f(b_k)` is `E[f(b)]`. Constants.
    """

    sample: tf.Tensor
    score: Gradients
    event_ndims: int
    num_samples: int
    own_parameters: bool = dataclasses.field(default=False, kw_only=True)
    weights: tf.Tensor | None = dataclasses.field(default=None, kw_only=True)


@dataclasses.dataclass(frozen=True)
class PathwiseDraw(Draw, abc.ABC):
    """A draw `b = T(noise, parameters)` that is differentiable in them."""

    @abc.abstractmethod
    def pathwise(self, derivative: tf.Tensor) -> Gradients:
        """Carries `dc / db` to the parameters."""


def absent(kind: str, name: str) -> TypeError:
    """Returns the error of an estimator that asks for what is not there."""
    return TypeError(
        f"This estimator needs `{name}` of a draw. Received: {kind}, which has "
        "none. Use RELAX, Reinforce, LeaveOneOut, VarGrad or NVIL."
    )


@dataclasses.dataclass(frozen=True)
class RelaxedDraw(Draw, abc.ABC):
    """A draw `b = H(z)` of a discrete distribution, with its relaxation.

    A subclass must have `pathwise`, `conditional`, `conditional_pathwise` and
    `coupled_pathwise`. What else it lacks raises a TypeError, in the
    estimators that ask for it. See `interval_draw` for an easier way.

    Attributes:
      relaxed: `z`, shape of `sample`, in nats.
      relaxed_score: `d log p(z) / d parameter` with `z` held fixed.
      unit_ndims: how many trailing axes of `sample` are one unit: 0 for a
        Bernoulli, 1 for a one-hot categorical.
      certain: where outcomes that are impossible make z infinite, the size
        from which on control variates do not see it grow; None elsewhere.
    """

    relaxed: tf.Tensor
    relaxed_score: Gradients
    unit_ndims: ClassVar[int]
    certain: ClassVar[float | None] = None

    @property
    def mean(self) -> tf.Tensor:
        """Returns the mean of `b`, `[B..., E...]`."""
        raise absent(type(self).__name__, "mean")

    def atoms(self) -> tf.Tensor:
        """Returns the A outcomes of a unit, `[A]` or `[A, A]`."""
        raise absent(type(self).__name__, "atoms")

    def log_prob(self, sample: tf.Tensor) -> tf.Tensor:
        """Returns `log p(b)` of each unit, in nats, without its own axis."""
        raise absent(type(self).__name__, "log_prob")

    def other(self, number: int) -> tf.Tensor:
        """Returns another outcome of every unit, `number` in 1 to A - 1."""
        raise absent(type(self).__name__, "other")

    def squash(self, relaxed: tf.Tensor) -> tf.Tensor:
        """Maps `z / temperature` into the convex hull of the samples."""
        raise absent(type(self).__name__, "squash")

    def covariance(self, mean: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
        """Returns `Cov(b) vector` at another mean of `b`.

        It is also the Jacobian of `squash` where its value is `mean`.
        """
        raise absent(type(self).__name__, "covariance")

    def agreeing(self, gap: float | tf.Tensor) -> tf.Tensor:
        """Returns the logits, moved until `H(logits) = b` by a gap."""
        raise absent(type(self).__name__, "agreeing")

    def at(
        self,
        sample: tf.Tensor,
        num_samples: int,
        *,
        weights: tf.Tensor | None = None,
    ) -> Draw:
        """Returns a draw of K other samples, without their relaxation.

        Args:
          sample: `[K, B..., E...]`.
          num_samples: K > 1.
          weights: see `Draw`.
        """
        return Draw(
            sample=tf.stop_gradient(sample),
            score={"logits": sample - self.mean},
            event_ndims=self.event_ndims,
            num_samples=num_samples,
            weights=None if weights is None else tf.stop_gradient(weights),
        )

    @abc.abstractmethod
    def pathwise(self, derivative: tf.Tensor) -> Gradients:
        """Carries `dc / dz` to the parameters: `z` moves, noise is fixed."""

    def mean_pathwise(self, derivative: tf.Tensor) -> Gradients:
        """Carries a derivative by the mean of `b` to the parameters."""
        raise absent(type(self).__name__, "mean_pathwise")

    @abc.abstractmethod
    def conditional(self) -> tf.Tensor:
        """Returns `zt ~ z | b` from noise of its own, with `H(zt) = b`."""

    @abc.abstractmethod
    def conditional_pathwise(
        self, conditional: tf.Tensor, derivative: tf.Tensor
    ) -> Gradients:
        """Carries `dc / dzt` at `zt = conditional` to the parameters.

        `zt` depends on the parameters twice: directly, and through the noise
        that is conditioned on `b`.
        """

    @abc.abstractmethod
    def coupled_pathwise(self, derivative: tf.Tensor) -> Gradients:
        """Carries `dc / dz` by `dz - dzt` where the noises make `zt = z`."""
