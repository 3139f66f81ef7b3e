"""They are TFP's distributions: what TFP offers goes on working."""

import cases
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tf_relax as tfr

tfd = tfp.distributions
tfrd = tfr.distributions
_SEED = (1, 2)
_DTYPE = {"dtype": tf.float64}  # Of the samples, where TFP's are integers.


def _theirs(name):
    """Returns TFP's distribution of the same parameters."""
    family = cases.FAMILIES[name]
    ours = family.rows(5)
    if name.startswith("independent"):
        inside = name.removeprefix("independent_")
        return tfd.Independent(_theirs_like(inside, ours.distribution), 1)
    return _theirs_like(name, ours)


def _theirs_like(name, ours):
    parameters = ours.given_parameters()
    if name.startswith("bernoulli"):
        return tfd.Bernoulli(**parameters, **_DTYPE)
    if name.startswith("categorical"):
        return tfd.OneHotCategorical(**parameters, **_DTYPE)
    make = {"normal": tfd.Normal, "mvn_diag": tfd.MultivariateNormalDiag}[name]
    return make(**parameters)


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_is_one_of_tfp(name):
    ours, theirs = cases.FAMILIES[name].rows(5), _theirs(name)
    assert isinstance(ours, type(theirs))
    assert isinstance(ours, tfrd.GradientMethods)
    assert ours.batch_shape == theirs.batch_shape
    assert ours.event_shape == theirs.event_shape
    assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_has_the_numbers_of_tfp(name):
    ours, theirs = cases.FAMILIES[name].rows(5), _theirs(name)
    sample = ours.sample(seed=_SEED)
    np.testing.assert_array_equal(sample, theirs.sample(seed=_SEED))
    for number in ("mean", "variance", "entropy", "mode"):
        np.testing.assert_array_equal(
            getattr(ours, number)(), getattr(theirs, number)()
        )
    for b in (sample, ours.draw(_SEED).sample):
        np.testing.assert_allclose(
            ours.log_prob(b), theirs.log_prob(b), rtol=1e-12
        )


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_kl_divergence_with_tfp(name):
    ours, theirs = cases.FAMILIES[name].rows(5), _theirs(name)
    for pair in [(ours, theirs), (theirs, ours), (ours, ours)]:
        np.testing.assert_allclose(tfd.kl_divergence(*pair), 0.0, atol=1e-12)


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_slices_and_copies_keep_the_class(name):
    q = cases.FAMILIES[name].rows(5)
    part, copy = q[:2], q.copy()
    assert type(part) is type(q)
    assert type(copy) is type(q)
    assert part.batch_shape[0] == 2
    f = cases.FAMILIES[name].f
    gradients = part.reinforce_gradient(f, seed=_SEED).gradients
    for gradient in gradients.values():
        assert gradient.shape[0] == 2
    for x, y in zip(
        q.reinforce_gradient(f, seed=_SEED).gradients.values(),
        copy.reinforce_gradient(f, seed=_SEED).gradients.values(),
        strict=True,
    ):
        np.testing.assert_array_equal(x, y)


def test_copy_with_another_parameter():
    q = tfrd.Bernoulli(logits=[0.1, 0.2]).copy(logits=[3.0])
    np.testing.assert_array_equal(q.given_parameters()["logits"], [3.0])
    q = tfrd.MultivariateNormalDiag([0.0, 1.0]).copy(scale_diag=[2.0, 2.0])
    assert sorted(q.given_parameters()) == ["loc", "scale_diag"]


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_crosses_the_boundary_of_a_function(name):
    family = cases.FAMILIES[name]

    @tf.function
    def gradients(q):
        return q.reinforce_gradient(family.f, seed=_SEED).gradients

    q = family.rows(5)
    expected = q.reinforce_gradient(family.f, seed=_SEED).gradients
    for key, gradient in gradients(q).items():
        np.testing.assert_allclose(gradient, expected[key], rtol=1e-12)


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_comes_out_of_a_function(name):
    family = cases.FAMILIES[name]
    q = tf.function(lambda x: family.rows(5, x))(family.tensors())
    f, expected = family.f, family.rows(5)
    np.testing.assert_allclose(
        q.reinforce_gradient(f, seed=_SEED).value,
        expected.reinforce_gradient(f, seed=_SEED).value,
        rtol=1e-12,
    )


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_is_a_part_of_a_joint_distribution(name):
    q = cases.FAMILIES[name].rows(5)
    joint = tfd.JointDistributionSequential([q, tfd.Normal(0.0, 1.0)])
    sample = joint.sample(seed=_SEED)
    np.testing.assert_array_equal(
        joint.log_prob_parts(sample)[0], q.log_prob(sample[0])
    )


def test_samples_are_floating():
    assert tfrd.Bernoulli(logits=[0.0]).sample(seed=_SEED).dtype == tf.float32
    q = tfrd.OneHotCategorical(logits=[0.0, 1.0])
    assert q.sample(seed=_SEED).dtype == tf.float32


def test_variables_are_tracked():
    variable = tf.Variable([0.1, 0.2])
    q = tfrd.Bernoulli(logits=variable)
    assert [v is variable for v in q.trainable_variables] == [True]


def test_autograph_converts_the_library_and_f(monkeypatch):
    """Which is in every `tf.function` of users; most tests go without it."""
    warnings = []
    monkeypatch.setattr(
        tf.get_logger(), "warning", lambda *a: warnings.append(a)
    )
    family = cases.FAMILIES["bernoulli"]

    def f(b):
        return family.f(b) if tf.reduce_sum(b) > 0.0 else tf.zeros_like(b[:, 0])

    def gradients(estimator, f):
        return estimator.estimate(f, family.rows(5), seed=_SEED).gradients

    for estimator, g in (
        (tfr.LeaveOneOut(), f),
        (tfr.RELAX(tfr.control_variates.Network((3,))), family.f),
        (tfr.REBAR(), family.f),
    ):
        expected = gradients(estimator, g)["logits"]
        found = tf.function(gradients)(estimator, g)["logits"]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not warnings
