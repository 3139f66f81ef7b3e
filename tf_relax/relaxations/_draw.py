"""What an estimator may ask of one draw."""

import abc
import dataclasses

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
    """

    sample: tf.Tensor
    score: Gradients
    event_ndims: int
    num_samples: int
    own_parameters: bool = dataclasses.field(default=False, kw_only=True)


@dataclasses.dataclass(frozen=True)
class PathwiseDraw(Draw, abc.ABC):
    """A draw `b = T(noise, parameters)` that is differentiable in them."""

    @abc.abstractmethod
    def pathwise(self, derivative: tf.Tensor) -> Gradients:
        """Carries `dc / db` to the parameters."""


@dataclasses.dataclass(frozen=True)
class RelaxedDraw(Draw, abc.ABC):
    """A draw `b = H(z)` of a discrete distribution, with its relaxation.

    Attributes:
      relaxed: `z`, shape of `sample`, in nats.
      relaxed_score: `d log p(z) / d parameter` with `z` held fixed.
    """

    relaxed: tf.Tensor
    relaxed_score: Gradients

    @abc.abstractmethod
    def pathwise(self, derivative: tf.Tensor) -> Gradients:
        """Carries `dc / dz` to the parameters: `z` moves, noise is fixed."""

    @abc.abstractmethod
    def mean_pathwise(self, derivative: tf.Tensor) -> Gradients:
        """Carries a derivative by the mean of `b` to the parameters."""

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
