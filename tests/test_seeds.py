"""Same seed, same numbers; nothing global is read or written."""

import itertools
import random

import cases
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tf_relax as tfr
from tf_relax.relaxations import _noise
from tf_relax.relaxations import _philox

_PAIRS = list(cases.pairs(cases.BASE_FAMILIES))


def _estimate(method, family, seed):
    name = cases.METHODS[method].control_variates[-1]
    return cases.estimator_of(method, family, name).estimate(
        cases.FAMILIES[family].f,
        cases.FAMILIES[family].rows(20),
        seed=seed,
        num_samples=cases.METHODS[method].num_samples,
    )


def _assert_equal(first, second):
    for x, y in zip(
        tf.nest.flatten(first), tf.nest.flatten(second), strict=True
    ):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(("method", "family"), _PAIRS)
def test_same_seed_gives_the_same_bits(method, family):
    _assert_equal(
        _estimate(method, family, (1, 2)), _estimate(method, family, (1, 2))
    )


@pytest.mark.parametrize("family", cases.BASE_FAMILIES)
def test_other_seed_gives_other_samples(family):
    samples = [
        np.array(_estimate("reinforce", family, seed).sample)
        for seed in [(1, 2), (1, 3), (2, 2), (2, 1)]
    ]
    for i, x in enumerate(samples):
        for y in samples[:i]:
            assert not np.array_equal(x, y)


@pytest.mark.parametrize(
    "seed",
    [
        [1, 2],
        np.array([1, 2]),
        np.array([1, 2], np.int32),
        tf.constant([1, 2]),
        tf.constant([1, 2], tf.int64),
        tf.Variable([1, 2]),
    ],
    ids=["list", "numpy64", "numpy32", "int32", "int64", "variable"],
)
def test_kinds_of_seeds_are_one(seed):
    _assert_equal(
        _estimate("relax", "bernoulli", (1, 2)).sample,
        _estimate("relax", "bernoulli", seed).sample,
    )


def test_global_seeds_do_not_matter():
    tf.random.set_seed(1)
    first = _estimate("relax", "categorical", (1, 2))
    tf.random.set_seed(2)
    _assert_equal(first, _estimate("relax", "categorical", (1, 2)))


@pytest.mark.parametrize(("method", "family"), _PAIRS)
def test_global_generators_are_left_alone(method, family):
    def numbers():
        tf.random.set_seed(3)
        np.random.seed(3)  # The global state, since it must not be touched.
        random.seed(3)
        tf.random.get_global_generator().reset_from_seed(3)

    def take():
        return (
            tf.random.uniform([3]),
            np.random.uniform(size=3),
            random.random(),
            tf.random.get_global_generator().uniform([3]),
        )

    numbers()
    expected = take()
    numbers()
    _estimate(method, family, (1, 2))
    _assert_equal(expected, take())


def test_samples_of_one_draw_differ():
    q = cases.FAMILIES["bernoulli"].rows(50)
    b = q.draw((1, 2), 3).sample
    for k in range(3):
        assert not np.array_equal(b[k], b[k - 1])


def test_noises_of_z_and_zt_differ():
    draw = cases.FAMILIES["bernoulli"].rows(50).draw((1, 2))
    assert not np.isclose(draw.relaxed, draw.conditional()).any()


@pytest.mark.parametrize("family", ["bernoulli", "categorical"])
def test_estimators_of_independent_samples_share_their_draws(family):
    """What one seed draws does not depend on who asks: runs can be paired."""
    draw = cases.FAMILIES[family].rows(20).draw((1, 2))
    for method, other in _PAIRS:
        estimator = cases.example(method)
        alone = cases.METHODS[method].num_samples == 1
        if other == family and alone and not estimator.couples:
            found = _estimate(method, family, (1, 2)).sample
            np.testing.assert_array_equal(found, draw.sample, err_msg=method)


def test_models_of_all_estimators_start_alike():
    first, *others = (
        tfr.models.DiscreteVAE(
            "linear1", 3, estimator=name, image_shape=(4,), seed=5
        )
        for name in ("relax", "disarm", "nvil", "local_expectation")
    )
    for other in others:
        for x, y in zip(
            first.model_variables, other.model_variables, strict=True
        ):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_new_seeds_do_not_retrace(mode):
    traces = []

    @cases.MODES[mode]
    def gradient(seed):
        traces.append(seed)
        q = tfr.distributions.Bernoulli(logits=tf.zeros([3, 2]))
        f = lambda b: tf.reduce_sum(b, -1)
        return q.rebar_gradient(f, seed=seed).gradients["logits"]

    for step in range(3):
        gradient(tf.constant([0, step]))
    assert len(traces) == 1


def test_every_mode_draws_the_same():
    def draws(seed):
        return [
            *_noise.split_seed(seed, 3),
            *(_noise.fold_seed(seed, salt) for salt in (0, -1, 2**40, seed[1])),
            *(
                _noise.open_uniform(seed, tf.constant(shape, tf.int32), dtype)
                for shape in ([], [0], [7, 3])
                for dtype in (tf.float32, tf.float64)
            ),
        ]

    def by_formula(seed):
        with _philox.formula():
            return draws(seed)

    modes = [
        wrap(f) for f in (draws, by_formula) for wrap in cases.MODES.values()
    ]
    for seed in [
        (0, 0),
        (1, 2),
        (-1, 5),
        (2**31 - 1, -(2**31)),
        (2**40, -(2**50)),
    ]:
        seed = tf.constant(seed, tf.int64)
        expected = draws(seed)
        for mode in modes:
            _assert_equal(mode(seed), expected)


@pytest.mark.parametrize("family", cases.BASE_FAMILIES)
def test_draws_are_those_of_xla(family):
    draw = lambda seed: cases.FAMILIES[family].rows(50).draw(seed, 3).sample
    seed = tf.constant([1, 2])
    # The inverse of a distribution function rounds differently.
    np.testing.assert_allclose(
        cases.MODES["xla"](draw)(seed), draw(seed), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normals_are_those_of_their_uniforms(dtype):
    shape = tf.constant([1000])
    x = _noise.open_normal((1, 2), shape, tf.as_dtype(dtype)).numpy()
    u = _noise.open_uniform((1, 2), shape, tf.as_dtype(dtype)).numpy()
    np.testing.assert_allclose(
        scipy.stats.norm.cdf(x.astype(np.float64)), u, rtol=1e-5
    )


def test_seeds_do_not_meet():
    """Neither near ones, nor what is made of them."""
    near = [-(2**40), -(2**32), -2, -1, 0, 1, 2**32]
    seeds = list(itertools.product(near, near))
    found = list(seeds)
    for seed in seeds:
        folded = [_noise.fold_seed(seed, salt) for salt in range(3)]
        for own in [tf.constant(seed, tf.int64), *folded]:
            found += [tuple(x.numpy()) for x in _noise.split_seed(own, 2)]
        found += [tuple(x.numpy()) for x in folded]
    assert len(set(found)) == len(found)
    keys = {int(_noise._key(tf.constant(s, tf.int64))) for s in found}
    assert len(keys) == len(found)
