"""The proofs have teeth: known mistakes fail them, the right code passes."""

import dataclasses
from typing import Any

import cases
import paths
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import testing


class _Draw:
    """A draw with a mistake: what a subclass does not write is right."""

    def __init__(self, draw):
        self._draw = draw

    def __getattr__(self, name):
        return getattr(self._draw, name)


class _StoppedAtV(_Draw):
    """The derivative does not pass through v', the noise given b."""

    def conditional_pathwise(self, conditional, derivative):
        del conditional
        return self._draw.pathwise(derivative)


class _Swapped(_Draw):
    """z and zt change places."""

    @property
    def relaxed(self):
        return self._draw.conditional()

    def conditional(self):
        return self._draw.relaxed

    def pathwise(self, derivative):
        return self._draw.conditional_pathwise(self.relaxed, derivative)

    def conditional_pathwise(self, conditional, derivative):
        del conditional
        return self._draw.pathwise(derivative)


class _InvertedSlope(_Draw):
    """Coupled: the slope of zt in place of that of z - zt."""

    def coupled_pathwise(self, derivative):
        right = self._draw.coupled_pathwise(derivative)
        of_z = self._draw.pathwise(derivative)
        return {name: of_z[name] - right[name] for name in right}


class _ReleasedSampler(_Draw):
    """The released code's: log p_b + Gumbel at the top, in place of Gumbel."""

    def conditional(self):
        zt, b = self._draw.conditional(), self._draw.sample
        return zt + b * self._draw.log_probs

    def conditional_pathwise(self, conditional, derivative):
        b = self._draw.sample
        right = self._draw.conditional_pathwise(
            conditional - b * self._draw.log_probs, derivative
        )
        at_top = self._draw.pathwise(b * derivative)
        return {name: right[name] + at_top[name] for name in right}


class _MeanTimesMean(tfr.Reinforce):
    """Mean of the signals times mean of the scores, over K samples."""

    def gradient(self, draw, value, control_variate):
        mean = dict.fromkeys(draw.score)
        for name, score in draw.score.items():
            mean[name] = tf.reduce_mean(score, 0, keepdims=True)
            mean[name] = tf.broadcast_to(mean[name], tf.shape(score))
        signal = tf.zeros_like(value) + tf.reduce_mean(value, 0, keepdims=True)
        draw = dataclasses.replace(draw, score=mean)
        return super().gradient(draw, signal, control_variate)


class _RelaxMeanTimesMean(tfr.RELAX):
    """The same for RELAX: signals f(b) - c(z)."""

    def gradient(self, draw, value, control_variate):
        c = control_variate(draw.relaxed)
        right = super().gradient(draw, value, control_variate)
        plain = tfr.Reinforce().gradient(draw, value - c, None)
        wrong = _MeanTimesMean().gradient(draw, value - c, None)
        return {n: right[n] - plain[n] + wrong[n] for n in right}


class _NoReturn(tfr.DLAX):
    """DLAX without the term + d c(z)."""

    def gradient(self, draw, value, control_variate):
        draw = dataclasses.replace(draw)
        object.__setattr__(draw, "pathwise", lambda d: {"logits": 0.0 * d})
        return super().gradient(draw, value, control_variate)


class _WrongSign(tfr.DisARM):
    """DisARM with the sign of (0, 1) for (1, 0) as well."""

    def gradient(self, draw, value, control_variate):
        right = super().gradient(draw, value, control_variate)
        return {"logits": (2.0 * draw.sample[:1] - 1.0) * right["logits"]}


class _SigmoidOfLogits(tfr.DisARM):
    """DisARM with sigmoid(logits) in place of sigmoid(|logits|)."""

    def gradient(self, draw, value, control_variate):
        right = super().gradient(draw, value, control_variate)["logits"]
        logits = draw.logits
        wrong = tf.sigmoid(logits) / tf.sigmoid(tf.abs(logits))
        return {"logits": wrong * right}


class _WithoutDebiasing(tfr.ARMS):
    """ARMS without its factor: plain leave-one-out, of coupled samples."""

    def gradient(self, draw, value, control_variate):
        return tfr.LeaveOneOut().gradient(draw, value, control_variate)


class _WithoutRatio(tfr.CARMS):
    """The same of CARMS."""

    def gradient(self, draw, value, control_variate):
        return tfr.LeaveOneOut().gradient(draw, value, control_variate)


class _BitsOfOne(tfr.DisARMSB):
    """The bits behind the choice of the first sample are left out."""

    def gradient(self, draw, value, control_variate):
        before = tf.math.cumprod(1.0 - draw.bits[:1], -1, exclusive=True)
        bits = draw.bits * before
        draw = dataclasses.replace(draw, bits=bits)
        return super().gradient(draw, value, control_variate)


class _OwnSlope(tfr.DoubleCV):
    """Each sample's own slope in its linear term, not that of the others."""

    def gradient(self, draw, value, control_variate):
        flipped = dataclasses.replace(draw, sample=tf.roll(draw.sample, 1, 0))
        return super().gradient(flipped, value, control_variate)


class _OwnResidual(tfr.RELAXK):
    """The baseline of a sample has its own residual in it."""

    def signal(self, residual, num_samples):
        return residual - tf.reduce_mean(residual, 0, keepdims=True)


class _NoiseOfThePair(tfr.RELAXDisARM):
    """z of the uniforms u and 1 - u of the bits: it knows the other bit."""

    def redraw(self, draw, seed):
        return tfr.DisARM().redraw(draw, seed)


class _Unweighted(tfr.UnorderedSet):
    """K different samples that count alike."""

    def redraw(self, draw, seed):
        return dataclasses.replace(super().redraw(draw, seed), weights=None)


class _FromTheSample(tfr.LocalExpectation):
    """The probability of the outcome at hand, not of the other one."""

    def gradient(self, draw, value, control_variate):
        draw = dataclasses.replace(draw)
        p = draw.log_prob(draw.sample)
        object.__setattr__(draw, "log_prob", lambda _: p)
        return super().gradient(draw, value, control_variate)


def _with_draw(mistake):
    """Returns RELAX that is given the draw with a mistake."""

    class Mutant(tfr.RELAX):
        def gradient(self, draw, value, control_variate):
            return super().gradient(mistake(draw), value, control_variate)

    return Mutant


@dataclasses.dataclass(frozen=True)
class _Case:
    right: Any  # Both are called with a control variate.
    wrong: Any
    families: tuple[str, ...] = ("bernoulli", "categorical")
    num_samples: int = 1


def _independent(make):
    return lambda c: make(c, coupled=False)


def _coupled(right, wrong, families=("bernoulli",), num_samples=2):
    """A case of estimators that take no control variate."""
    return _Case(lambda c: right(), lambda c: wrong(), families, num_samples)


_MUTANTS = {
    "stopped_at_v": _Case(
        _independent(tfr.RELAX), _independent(_with_draw(_StoppedAtV))
    ),
    "z_and_zt_swapped": _Case(
        _independent(tfr.RELAX), _independent(_with_draw(_Swapped))
    ),
    "released_categorical_sampler": _Case(
        _independent(tfr.RELAX),
        _independent(_with_draw(_ReleasedSampler)),
        families=("categorical",),
    ),
    "inverted_coupled_slope": _Case(tfr.RELAX, _with_draw(_InvertedSlope)),
    "dlax_without_return": _Case(tfr.DLAX, _NoReturn),
    "mean_times_mean": _Case(
        lambda c: tfr.Reinforce(), lambda c: _MeanTimesMean(), num_samples=3
    ),
    "disarm_with_a_wrong_sign": _coupled(tfr.DisARM, _WrongSign),
    "disarm_with_sigmoid_of_logits": _coupled(tfr.DisARM, _SigmoidOfLogits),
    "arms_without_debiasing": _coupled(
        tfr.ARMS, _WithoutDebiasing, num_samples=4
    ),
    "carms_without_ratio": _coupled(
        tfr.CARMS, _WithoutRatio, ("categorical",), num_samples=3
    ),
    "disarm_sb_with_bits_of_one": _coupled(
        tfr.DisARMSB, _BitsOfOne, ("categorical",)
    ),
    "double_cv_with_its_own_slope": _coupled(
        tfr.DoubleCV, _OwnSlope, ("bernoulli", "categorical")
    ),
    "relax_k_with_its_own_residual": _Case(
        lambda c: tfr.RELAXK(c, 1.0), _OwnResidual, num_samples=2
    ),
    "relax_disarm_with_the_noise_of_the_pair": _Case(
        lambda c: tfr.RELAXDisARM(c, 1.0),
        lambda c: _NoiseOfThePair(c, 1.0),
        ("bernoulli",),
        num_samples=2,
    ),
    "unordered_set_unweighted": _coupled(tfr.UnorderedSet, _Unweighted),
    "local_expectation_of_the_sample": _coupled(
        tfr.LocalExpectation,
        _FromTheSample,
        ("bernoulli", "categorical"),
        num_samples=1,
    ),
    "relax_mean_times_mean": _Case(
        tfr.RELAX, _RelaxMeanTimesMean, num_samples=3
    ),
}
_CASES = [
    (name, family)
    for name, case in _MUTANTS.items()
    for family in case.families
]


@pytest.mark.parametrize("case", _CASES, ids="-".join)
def test_mutant_is_caught(case, vary_seed):
    name, family = case
    mutant, family = _MUTANTS[name], cases.FAMILIES[family]

    def draw(make, num_draws=cases.NUM_DRAWS):
        return cases.draw_gradients(
            make(cases.CONTROL_VARIATES["good"](family)),
            family,
            cases.seed_of(*case, vary_seed=vary_seed),
            num_samples=mutant.num_samples,
            num_draws=num_draws,
        )

    exact = family.exact()
    rates = {"false_fail_rate": 1e-6, "num_tests": len(_CASES)}
    cases.assert_unbiased(
        lambda num_draws: draw(mutant.right, num_draws),
        exact,
        detects=0.3,
        **rates,
    )
    with pytest.raises(AssertionError, match="Biased"):
        testing.assert_unbiased(draw(mutant.wrong), exact, **rates)


def _leaking_expectation(f, distribution, *, estimator, seed, **kwargs):
    """The squared norm is a loss in the user's own tape."""
    loss = tfr.expectation(
        f, distribution, estimator=estimator, seed=seed, **kwargs
    )
    draw = estimator.draw(
        distribution, seed=seed, num_samples=kwargs["num_samples"]
    )
    c = estimator.bind(distribution, draw, f)
    norm = estimator.examples(distribution, draw, f(draw.sample), c)
    norm = norm.squared_norm
    return loss + norm - tf.stop_gradient(norm)


@pytest.mark.parametrize("part", ["encoder", "decoder", "prior"])
def test_leak_of_the_variance_gradient_is_caught(part):
    paths.assert_no_leak(tfr.expectation, part)
    with pytest.raises(AssertionError, match=part):
        paths.assert_no_leak(_leaking_expectation, part)
