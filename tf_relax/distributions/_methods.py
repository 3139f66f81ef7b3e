"""The methods that every distribution of this package has."""

from typing import Any

import tensorflow as tf

from tf_relax import estimators
from tf_relax.control_variates._relaxed import check_temperature
from tf_relax.control_variates._relaxed import differentiable_value
from tf_relax.control_variates._relaxed import relaxed_value
from tf_relax.estimators import GradientEstimate
from tf_relax.relaxations import Draw
from tf_relax.relaxations import Gradients


class GradientMethods:
    """Mixin: gradients of `E[f(b)]`, each by an estimator of that name.

    A distribution supplies `given_parameters`, `draw`, `pull_back` and, if it
    is discrete, `squash`; that is all an estimator asks of it. Every method
    returns a `GradientEstimate` and takes

      * `f`: `[..., E...] -> [...]`, TensorFlow or, but for REBAR and double
        control variates, anything;
      * `seed`: a stateless seed, two integers;
      * `num_samples`: K; for K > 1, `f` is given a leading axis of size K;
      * `context`: handed to control variates of `tf_relax.control_variates`;

    and raises a TypeError if the estimator is not valid here, and a
    ValueError for a wrong shape, dtype or seed.
    """

    def given_parameters(self) -> dict[str, Any]:
        """Returns the parameters that the user gave, by name."""
        raise NotImplementedError

    def draw(self, seed: tf.Tensor, num_samples: int = 1) -> Draw:
        """Returns draws; a leading axis is there only for several.

        Args:
          seed: stateless seed, two integers.
          num_samples: K >= 1.
        """
        raise NotImplementedError

    def squash(self, relaxed: tf.Tensor) -> tf.Tensor:
        """Maps `z / temperature` into the convex hull of the samples.

        Raises:
          TypeError: if the distribution has no relaxation.
        """
        raise TypeError(
            "The relaxed f needs a discrete distribution with a relaxation. "
            f"Received: {type(self).__name__}. Use a Network."
        )

    def pull_back(self, gradients: Gradients) -> Gradients:
        """Carries gradients of canonical parameters to the given ones."""
        return {name: gradients[name] for name in self.given_parameters()}

    def reinforce_gradient(
        self,
        f: Any,
        *,
        seed: Any,
        num_samples: int = 1,
        baseline: estimators.MovingAverage | None = None,
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` by the score function. See `Reinforce`."""
        return estimators.Reinforce(baseline).estimate(
            f, self, seed=seed, num_samples=num_samples
        )

    def leave_one_out_gradient(
        self, f: Any, *, seed: Any, num_samples: int = 2
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` from K >= 2 samples. See `LeaveOneOut`."""
        return estimators.LeaveOneOut().estimate(
            f, self, seed=seed, num_samples=num_samples
        )

    def arm_gradient(
        self, f: Any, *, seed: Any, num_samples: int = 2
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for Bernoulli b, K even. See `ARM`."""
        return estimators.ARM().estimate(
            f, self, seed=seed, num_samples=num_samples
        )

    def disarm_gradient(
        self, f: Any, *, seed: Any, num_samples: int = 2
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for Bernoulli b, K even. See `DisARM`."""
        return estimators.DisARM().estimate(
            f, self, seed=seed, num_samples=num_samples
        )

    def arms_gradient(
        self, f: Any, *, seed: Any, num_samples: int = 2
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for Bernoulli b, K >= 2. See `ARMS`."""
        return estimators.ARMS().estimate(
            f, self, seed=seed, num_samples=num_samples
        )

    def local_expectation_gradient(
        self, f: Any, *, seed: Any, num_samples: int = 1
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for discrete b. See `LocalExpectation`."""
        return estimators.LocalExpectation().estimate(
            f, self, seed=seed, num_samples=num_samples
        )

    def double_cv_gradient(
        self,
        f: Any,
        *,
        seed: Any,
        scale: float = 0.5,
        num_samples: int = 2,
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for discrete b, K >= 2. See `DoubleCV`.

        The scale is a constant here; a `DoubleCV` object has it as a
        variable.
        """

        def control_variate(b: tf.Tensor) -> tf.Tensor:
            return scale * differentiable_value(f, b, "DoubleCV")

        estimator = estimators.DoubleCV(control_variate=control_variate)
        return estimator.estimate(f, self, seed=seed, num_samples=num_samples)

    def lax_gradient(
        self,
        f: Any,
        control_variate: Any,
        *,
        seed: Any,
        num_samples: int = 1,
        context: Any = None,
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for continuous b. See `LAX`."""
        return estimators.LAX(control_variate).estimate(
            f, self, seed=seed, num_samples=num_samples, context=context
        )

    def dlax_gradient(
        self,
        f: Any,
        control_variate: Any,
        *,
        seed: Any,
        num_samples: int = 1,
        context: Any = None,
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for discrete b. See `DLAX`."""
        return estimators.DLAX(control_variate).estimate(
            f, self, seed=seed, num_samples=num_samples, context=context
        )

    def relax_gradient(
        self,
        f: Any,
        control_variate: Any,
        *,
        seed: Any,
        num_samples: int = 1,
        context: Any = None,
        coupled: bool = True,
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for discrete b. See `RELAX`."""
        return estimators.RELAX(control_variate, coupled=coupled).estimate(
            f, self, seed=seed, num_samples=num_samples, context=context
        )

    def rebar_gradient(
        self,
        f: Any,
        *,
        seed: Any,
        temperature: float = 0.5,
        scale: float = 1.0,
        num_samples: int = 1,
        coupled: bool = True,
    ) -> GradientEstimate:
        """Estimates `dE[f(b)]` for discrete b. See `REBAR`.

        Temperature and scale are constants here; an `REBAR` object has them
        as variables.

        Raises:
          ValueError: if `temperature` is not positive.
        """
        check_temperature(temperature)

        def control_variate(z: tf.Tensor) -> tf.Tensor:
            return scale * relaxed_value(f, self.squash(z / temperature))

        estimator = estimators.REBAR(
            control_variate=control_variate, coupled=coupled
        )
        return estimator.estimate(f, self, seed=seed, num_samples=num_samples)
