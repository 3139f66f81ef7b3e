"""Players and what they keep: by hand, on environments that can be foretold."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_relax as tfr
from tf_relax import rl

_LENGTHS = (2, 3, 5)  # Of the episodes of three copies; 4 is the limit.
_LIMIT = 4


class _Space:
    def __init__(self, shape):
        self.shape = shape
        self.dtype = np.dtype(np.float32)
        self.low, self.high = -np.ones(shape), np.ones(shape)


class Box(_Space):
    """Named as gymnasium's."""


class Discrete:
    """Named as gymnasium's; its actions begin at `start`."""

    def __init__(self, n, start=0):
        self.n, self.start, self.dtype = n, start, np.dtype(np.int64)


class _Counting:
    """Copies that count; an observation is (copy, steps of the episode)."""

    def __init__(self, copies, lengths):
        self.lengths = np.resize(lengths, copies)
        self.actions = []

    def reset(self, seed):
        del seed
        self.age = np.zeros(len(self.lengths), int)
        self.over = np.zeros(len(self.lengths), bool)
        return self._seen(), {}

    def step(self, actions):
        self.actions.append(actions)
        self.age = np.where(self.over, 0, self.age + 1)
        begun = self.over
        terminated = ~begun & (self.age >= self.lengths)
        truncated = ~begun & (self.age >= _LIMIT) & ~terminated
        rewards = np.where(begun, 0.0, 10.0 * self.age)
        self.over = terminated | truncated
        return self._seen(), rewards, terminated, truncated, {}

    def _seen(self):
        return np.stack([np.arange(len(self.age)), self.age], -1)


class _Same(rl.Environment):
    """The same in TensorFlow; a state is an observation."""

    observation_size = 2
    action_size = 2
    discrete = True
    max_steps = _LIMIT
    solved_at = 0.0

    def reset(self, shape, seed):
        copies = tf.range(tf.cast(tf.reduce_prod(shape), tf.float32))
        copies = tf.reshape(copies, shape)
        return tf.stack([copies, tf.zeros_like(copies)], -1)

    def observe(self, state):
        return state

    def step(self, state, action, seed):
        copy, age = tf.unstack(state, axis=-1)
        length = tf.gather(_LENGTHS, tf.cast(copy, tf.int32) % 3)
        return rl.Transition(
            tf.stack([copy, age + 1.0], -1),
            10.0 * (age + 1.0),
            age + 1.0 >= tf.cast(length, tf.float32),
        )


def _learner(**kwargs):
    policy = rl.CategoricalPolicy(2, 2, (), seeds=[0])
    critic = rl.Perceptrons(2, (), 1, seeds=[1])
    return rl.Learner(
        policy,
        tfr.Reinforce(),
        critic,
        tuple(keras.optimizers.Adam(0.0) for _ in range(3)),
        rl.Recipe(**kwargs),
    )


class _Kept:
    """Keeps what a learner is given."""

    def __init__(self, learner):
        self.paths = []
        self._learn = learner.learn
        learner.learn = self._look

    def _look(self, paths):
        self.paths.append(rl.Trajectories(*(x for x in paths)))
        return self._learn(paths)


def _play(kind, num_steps, updates=2):
    """Returns the trajectories of two updates, of one run and three copies."""
    learner = _learner()
    if kind == "tensorflow":
        player = rl.TensorFlowPlayer(
            learner, _Same(), 3, num_steps, jit_compile=False
        )
        return [player.trajectories() for _ in range(updates)]
    player = rl.VectorPlayer(
        learner,
        lambda copies: rl.VectorEnvironment(
            _Counting(copies, _LENGTHS), Box((2,)), Discrete(2), copies, _LIMIT
        ),
        3,
        num_steps,
        jit_compile=False,
    )
    return [player.trajectories() for _ in range(updates)]


_KINDS = pytest.mark.parametrize("kind", ["tensorflow", "vector"])


@_KINDS
def test_whole_episodes_are_kept_as_they_were(kind):
    for paths in _play(kind, None):
        paths = rl.Trajectories(*(np.asarray(x)[0] for x in paths))
        np.testing.assert_array_equal(
            paths.alive, [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
        )
        np.testing.assert_array_equal(
            paths.rewards, [[10, 20, 0, 0], [10, 20, 30, 0], [10, 20, 30, 40]]
        )
        np.testing.assert_array_equal(
            paths.ended, [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
        )
        # The time limit ends the last one's episode, but does not terminate.
        np.testing.assert_array_equal(
            paths.terminated, [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
        )
        np.testing.assert_array_equal(
            paths.observations[..., 1],
            [[0, 1, 2, 2], [0, 1, 2, 3], [0, 1, 2, 3]],
        )
        np.testing.assert_array_equal(paths.last_observation[:, 1], [2, 3, 4])
        np.testing.assert_array_equal(paths.noise[paths.alive == 0], 0.5)
        np.testing.assert_array_equal(paths.episode_length[:, -1], [2, 3, 4])
        np.testing.assert_array_equal(
            paths.episode_return[:, -1], [30, 60, 100]
        )


@_KINDS
def test_steps_go_on_where_they_were(kind):
    first, second = _play(kind, 7)
    both = [
        np.concatenate([np.asarray(x)[0], np.asarray(y)[0]], 1)
        for x, y in zip(first[:8], second[:8], strict=True)
    ]
    seen, _, rewards, alive, terminated, ended, returns, lengths = both
    # Of the first copy: two steps and one that begins anew, again and again.
    ages = np.resize([0, 1, 2], 14)
    np.testing.assert_array_equal(seen[0, :, 1], ages)
    np.testing.assert_array_equal(alive[0], ages < 2)
    np.testing.assert_array_equal(rewards[0], np.resize([10, 20, 0], 14))
    np.testing.assert_array_equal(ended[0], ages == 1)
    np.testing.assert_array_equal(terminated[0], ages == 1)
    # Of the third, the limit cuts four steps.
    ages = np.resize([0, 1, 2, 3, 4], 14)
    np.testing.assert_array_equal(seen[2, :, 1], ages)
    np.testing.assert_array_equal(ended[2], ages == 3)
    assert not terminated[2].any()
    np.testing.assert_array_equal(returns[2][ended[2] == 1], [100.0] * 3)
    np.testing.assert_array_equal(lengths[2][ended[2] == 1], [4.0] * 3)
    # What the last step led to is what the next update sees first.
    np.testing.assert_array_equal(
        np.asarray(first.last_observation)[0], seen[:, 7]
    )


@_KINDS
@pytest.mark.parametrize("num_steps", [None, 7], ids=["episodes", "steps"])
def test_values_stand_for_what_was_cut(kind, num_steps):
    paths = rl.Trajectories(*map(tf.constant, _play(kind, num_steps)[1]))
    learner = _learner(bootstrap=True, discount=0.5)
    learner.critic.kernels[0].assign(
        [[[3.0], [100.0]]]
    )  # V = 3 copy + 100 age.
    found = np.asarray(learner.returns(paths))[0]
    rewards, alive, terminated, ended = (np.asarray(x)[0] for x in paths[2:6])
    seen = np.concatenate(
        [paths.observations[0], paths.last_observation[0][:, None]], 1
    )
    for copy in range(3):
        after, wanted = 0.0, []
        for t in reversed(range(rewards.shape[1])):
            value = 3.0 * seen[copy, t + 1, 0] + 100.0 * seen[copy, t + 1, 1]
            if terminated[copy, t]:
                after = 0.0
            elif ended[copy, t] or t == rewards.shape[1] - 1:
                after = value
            after = rewards[copy, t] + 0.5 * after
            wanted.append(after)
        taken = alive[copy] > 0
        np.testing.assert_allclose(
            found[copy][taken], np.array(wanted[::-1])[taken], rtol=1e-6
        )


@pytest.mark.parametrize("num_steps", [None, 7], ids=["episodes", "steps"])
def test_progress_counts_episodes_and_steps(num_steps):
    player = rl.TensorFlowPlayer(
        _learner(), _Same(), 3, num_steps, jit_compile=False
    )
    progress = player.updates(2)
    ended = np.asarray(progress.ended)
    if num_steps is None:
        assert ended.shape == (2, 1, 3, 1) and ended.all()
        np.testing.assert_array_equal(progress.lengths[0, 0, :, 0], [2, 3, 4])
        np.testing.assert_array_equal(
            progress.returns[1, 0, :, 0], [30, 60, 100]
        )
        np.testing.assert_array_equal(progress.steps[:, 0, 0], [9, 9])
    else:
        # 14 steps of periods 3, 4 and 5.
        assert ended.sum((0, 1, 3)).tolist() == [5, 3, 3]
        assert float(np.sum(progress.steps)) == 14 * 3 - 4 - 3 - 2
        np.testing.assert_array_equal(
            np.asarray(progress.returns)[:, 0, 2][ended[:, 0, 2] > 0], 100.0
        )


def test_actions_of_several_axes_are_cut_to_their_bounds():
    inner = _Counting(2, _LENGTHS)
    made = rl.VectorEnvironment(inner, Box((3, 4)), Box((2, 2)), 2, _LIMIT)
    assert (made.observation_size, made.action_size) == (12, 4)
    assert not made.discrete
    inner.reset(0)
    inner._seen = lambda: np.zeros([2, 3, 4])
    actions = np.array([[-3.0, 0.5, 3.0, 0.0]] * 2, np.float32)
    seen, *_ = made.step(actions)
    assert seen.shape == (2, 12)
    np.testing.assert_array_equal(
        inner.actions[0], [[[-1.0, 0.5], [1.0, 0.0]]] * 2
    )


def test_discrete_spaces_begin_where_they_say():
    inner = _Counting(2, _LENGTHS)
    inner._seen = lambda: np.array([4, 6])
    made = rl.VectorEnvironment(inner, Discrete(3, 4), Discrete(2, -1), 2, 9)
    np.testing.assert_array_equal(made.reset(0), [[1, 0, 0], [0, 0, 1]])
    made.step(np.array([0, 1]))
    np.testing.assert_array_equal(inner.actions[0], [-1, 0])


def test_normaliser_has_the_mean_and_deviation_of_all_it_saw():
    rng = np.random.default_rng(0)
    normaliser = rl.Normaliser(2, 3)
    seen = rng.normal([5.0, -2.0, 0.0], [3.0, 0.1, 1.0], (2, 4, 60, 3))
    seen = seen.astype(np.float32)
    np.testing.assert_array_equal(normaliser(seen), np.clip(seen, -10, 10))
    alive = (rng.uniform(size=(2, 4, 60)) < 0.7).astype(np.float32)
    for part in np.split(np.arange(60), [7, 31]):
        normaliser.observe(seen[:, :, part], alive[:, :, part])
    for run in range(2):
        counted = seen[run][alive[run] > 0]
        np.testing.assert_allclose(
            normaliser(seen)[run],
            (seen[run] - counted.mean(0)) / counted.std(0),
            rtol=2e-3,
            atol=2e-4,
        )


@pytest.mark.parametrize("steps", [1, 4])
def test_critic_and_control_variate_take_their_steps(steps):
    policy = rl.CategoricalPolicy(2, 2, (), seeds=[0])
    critic = rl.Perceptrons(2, (), 1, seeds=[1])
    c = rl.ActionValue(2, 2, (3,), "tanh", seeds=[2])
    optimizers = tuple(keras.optimizers.SGD(1e-4) for _ in range(3))
    learner = rl.Learner(
        policy,
        tfr.RELAX(c),
        critic,
        optimizers,
        rl.Recipe(critic_steps=steps, control_variate_steps=steps),
    )
    tf.function(learner.learn)(
        learner_paths := rl.rollout(_Same(), learner.act, 4, (1, 3), (0, 1))
    )
    assert learner_paths.alive.shape == (1, 3, 4)
    counts = [int(optimizer.iterations) for optimizer in optimizers]
    assert counts == [1, steps, steps]


def test_variances_are_those_of_single_episodes():
    policy = rl.CategoricalPolicy(4, 2, (3,), "tanh", seeds=[0, 1])
    critic = rl.Perceptrons(4, (3,), 1, seeds=[2, 3])
    c = rl.ActionValue(4, 2, (3,), "tanh", scale=2.0, seeds=[4, 5])
    learner = rl.Learner(
        policy,
        tfr.RELAX(c),
        critic,
        tuple(keras.optimizers.Adam(0.1) for _ in range(3)),
    )
    paths = rl.rollout(rl.CartPole(20), learner.act, 4, (2, 6), (0, 1))
    found = rl.gradient_variances(learner, paths, "relax")
    assert set(found) == {"reinforce", "a2c", "relax"}
    advantages = learner.returns(paths) - learner.values(paths.observations)
    by_episode = [
        rl.policy_gradient(
            policy,
            rl.Trajectories(*(x[:, n : n + 1] for x in paths)),
            advantages[:, n : n + 1],
            tfr.RELAX(c),
        ).gradients
        for n in range(6)
    ]
    for run in range(2):
        flat = np.stack(
            [np.concatenate([np.ravel(g[run]) for g in e]) for e in by_episode]
        )
        variance = flat.var(0, ddof=1)
        np.testing.assert_allclose(
            found["relax"].total[run], variance.sum(), rtol=1e-4
        )
        np.testing.assert_allclose(
            found["relax"].log_variance[run], np.log(variance).mean(), rtol=1e-3
        )
