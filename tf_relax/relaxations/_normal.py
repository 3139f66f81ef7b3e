"""Normal draws: `b = loc + scale * noise`."""

import dataclasses

import tensorflow as tf

from tf_relax.relaxations._draw import Gradients
from tf_relax.relaxations._draw import PathwiseDraw


@dataclasses.dataclass(frozen=True)
class _NormalDraw(PathwiseDraw):
    noise: tf.Tensor
    scale_name: str

    def pathwise(self, derivative: tf.Tensor) -> Gradients:
        return {"loc": derivative, self.scale_name: derivative * self.noise}


def normal_draw(
    loc: tf.Tensor,
    scale: tf.Tensor,
    noise: tf.Tensor,
    num_samples: int = 1,
    *,
    event_ndims: int = 0,
    scale_name: str = "scale",
) -> PathwiseDraw:
    """Returns the draw of `Normal(loc, scale)` that standard normals make.

    Args:
      loc: mean, `[B..., D]`.
      scale: standard deviation, `[B..., D]`.
      noise: standard normals, `[K, B..., D]`.
      num_samples: K. The axis of samples is there only for K > 1.
      event_ndims: 1 for a multivariate normal with a diagonal covariance.
      scale_name: the name of the canonical parameter that `scale` is.
    """
    return _NormalDraw(
        # The score holds b fixed; LAX adds the pathwise part by hand.
        sample=tf.stop_gradient(loc + scale * noise),
        score={
            "loc": noise / scale,
            scale_name: (tf.square(noise) - 1.0) / scale,
        },
        event_ndims=event_ndims,
        num_samples=num_samples,
        noise=noise,
        scale_name=scale_name,
    )
