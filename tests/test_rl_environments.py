"""TensorFlow dynamics against gymnasium's, state by state."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tf_relax import rl

gymnasium = pytest.importorskip("gymnasium")

_STATES = 3000


def _random_states(name, rng):
    """Returns states in and around all that an episode can reach."""
    ranges = {
        "Acrobot-v1": [np.pi, np.pi, 4 * np.pi, 9 * np.pi],
        "CartPole-v0": [2.6, 3.0, 0.25, 3.0],
        "CartPole-v1": [2.6, 3.0, 0.25, 3.0],
        "Pendulum-v1": [6.0, 8.0],
    }
    if name in ranges:
        high = np.array(ranges[name])
        return rng.uniform(-high, high, (_STATES, len(high)))
    low, high = [-1.2, -0.07], [0.6, 0.07]
    states = rng.uniform(low, high, (_STATES, 2)).astype(np.float32)
    return states.astype(np.float64)  # As gymnasium keeps them.


def _random_actions(task, rng):
    if task.discrete:
        chosen = rng.integers(0, task.action_size, _STATES)
        return chosen, np.eye(task.action_size)[chosen]
    actions = rng.normal(size=(_STATES, 1)) * 2.0
    return actions, actions


_NAMES = [
    "Acrobot-v1",
    "CartPole-v0",
    "CartPole-v1",
    "MountainCarContinuous-v0",
    "Pendulum-v1",
]


def _gymnasium(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CartPole-v0 is old: the paper's.
        return gymnasium.make(name, disable_env_checker=True)


@pytest.mark.parametrize("name", _NAMES)
def test_steps_are_gymnasiums(name):
    rng = np.random.default_rng(0)
    theirs = _gymnasium(name).unwrapped
    theirs.reset(seed=0)
    task = rl.make_environment(name)
    states = _random_states(name, rng)
    actions, tensors = _random_actions(task, rng)
    found = []
    for state, action in zip(states, actions, strict=True):
        theirs.state = state.copy()
        theirs.steps_beyond_terminated = None
        observation, reward, terminated, truncated, _ = theirs.step(action)
        found.append([*theirs.state, *observation, reward, terminated])
        assert not truncated  # That is the time limit's.
    found = np.array(found, np.float64)
    step = task.step(tf.constant(states), tf.constant(tensors), (0, 0))
    size = states.shape[1]
    np.testing.assert_allclose(step.state, found[:, :size], atol=1e-7)
    np.testing.assert_allclose(
        task.observe(step.state), found[:, size:-2], atol=1e-5
    )
    np.testing.assert_allclose(step.reward, found[:, -2], rtol=1e-9)
    np.testing.assert_array_equal(step.terminated, found[:, -1] > 0)
    if name not in ("Pendulum-v1",):  # Which never ends by itself.
        assert 0.0 < found[:, -1].mean() < 1.0


@pytest.mark.parametrize("name", _NAMES)
def test_time_limits_and_sizes_are_gymnasiums(name):
    theirs = _gymnasium(name)
    task = rl.make_environment(name)
    assert task.max_steps == theirs.spec.max_episode_steps
    assert theirs.observation_space.shape == (task.observation_size,)
    if task.discrete:
        assert theirs.action_space.n == task.action_size
    else:
        assert theirs.action_space.shape == (task.action_size,)
    if theirs.spec.reward_threshold is not None:
        # Newer versions of a task may ask for more than the paper's.
        assert task.solved_at <= theirs.spec.reward_threshold


@pytest.mark.parametrize("name", _NAMES)
def test_starts_are_spread_as_gymnasiums(name):
    theirs = _gymnasium(name)
    task = rl.make_environment(name)
    mine = np.asarray(
        task.observe(task.reset(tf.constant([4000]), tf.constant([1, 2])))
    )
    others = np.stack([theirs.reset(seed=i)[0] for i in range(400)])
    # Uniform, or bounded functions of it: within the largest and smallest,
    # and means within 6 standard errors (2e-9 each).
    spread = mine.max(0) - mine.min(0)
    assert (others >= mine.min(0) - 0.05 * spread - 1e-7).all()
    assert (others <= mine.max(0) + 0.05 * spread + 1e-7).all()
    error = 6 * mine.std(0) * np.sqrt(1 / 4000 + 1 / 400) + 1e-7
    assert (np.abs(mine.mean(0) - others.mean(0)) < error).all()


def test_truncation_is_no_termination():
    task = rl.CartPole(max_steps=5)
    policy = rl.CategoricalPolicy(4, 2, (), seeds=[0])
    paths = rl.rollout(task, policy.act, policy.noise_size, (1, 8), (0, 0))
    assert (np.asarray(paths.alive) == 1.0).all()
    assert (np.asarray(paths.terminated) == 0.0).all()
    assert (np.asarray(paths.ended)[..., -1] == 1.0).all()
    assert (np.asarray(paths.is_cut)[..., -1] == 1.0).all()


def test_unknown_names_get_the_closest():
    with pytest.raises(ValueError, match="Did you mean 'CartPole-v1'"):
        rl.make_environment("CartPole-v2")


def test_bandit_pays_for_the_nearest_action():
    task = rl.ContextualBandit(num_actions=12, noise=0.0)
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 50)
    state = tf.constant(
        np.stack([np.cos(angle), np.sin(angle)], -1), tf.float32
    )
    rewards = [
        task.step(state, tf.one_hot([a] * 50, 12), (0, 0)).reward
        for a in range(12)
    ]
    hours = np.round(angle / (2 * np.pi / 12)).astype(int) % 12
    np.testing.assert_array_equal(np.argmax(rewards, 0), hours)
    np.testing.assert_allclose(rewards[0], np.cos(angle), rtol=1e-4, atol=1e-6)
    assert np.asarray(
        task.step(state, tf.one_hot([0] * 50, 12), (0, 0))[2]
    ).all()


def test_linear_quadratic_moves_as_it_says():
    task = rl.LinearQuadratic(2)
    state = tf.zeros([4000, 2]) + tf.constant([2.0, -1.0])
    action = tf.zeros([4000, 2]) + tf.constant([1.0, 0.5])
    step = task.step(state, action, (0, 1))
    then = np.asarray(step.state)
    # Within 6 standard errors (2e-9 each).
    error = 6 * 0.1 / np.sqrt(4000)
    np.testing.assert_allclose(then.mean(0), [2.3, -0.65], atol=error)
    np.testing.assert_allclose(then.std(0), 0.1, rtol=0.08)
    np.testing.assert_allclose(
        step.reward,
        -np.square(then).mean(-1) - 0.1 * (1.0 + 0.25) / 2,
        rtol=1e-5,
    )
    assert not np.asarray(step.terminated).any()
