"""Policy gradients against exact ones of small decision processes."""

import itertools

import cases
import numpy as np
import pytest
import tensorflow as tf
import test_mutants

import tf_relax as tfr
from tf_relax import rl
from tf_relax import testing

_FALSE_FAIL_RATE = 1e-6
_DETECTS = 0.3
_RUNS, _EPISODES = 400, 500  # Each run's gradient is the mean of 500 episodes.
_HORIZON = 3
_DISCOUNT = 0.9


class _Process(rl.Environment):
    """Three states, A actions, horizon 3; two of the pairs end an episode."""

    discrete = True
    observation_size = 3
    max_steps = _HORIZON
    solved_at = 0.0

    def __init__(self, num_actions):
        rng = np.random.default_rng(num_actions)
        self.action_size = num_actions
        p = rng.dirichlet([1.0] * 3, (3, num_actions))
        self.p = tf.constant(p, tf.float32)  # P(next | state, action).
        reward = rng.normal(size=(3, num_actions)) * 2.0
        self.reward = tf.constant(reward, tf.float32)
        ends = np.zeros((3, num_actions))
        ends[2, 0] = ends[0, 1] = 1.0
        self.ends = tf.constant(ends, tf.float32)

    def reset(self, shape, seed):
        u = tf.random.stateless_uniform(shape, seed)
        return tf.one_hot(tf.cast(3.0 * u, tf.int32), 3)

    def observe(self, state):
        return state

    def step(self, state, action, seed):
        pair = state[..., :, tf.newaxis] * action[..., tf.newaxis, :]
        p = tf.einsum("...sa,sak->...k", pair, self.p)
        u = tf.random.stateless_uniform(tf.shape(p)[:-1], seed)
        above = u[..., tf.newaxis] > tf.cumsum(p, -1)[..., :2]
        index = tf.reduce_sum(tf.cast(above, tf.int32), -1)
        return rl.Transition(
            tf.one_hot(index, 3),
            tf.einsum("...sa,sa->...", pair, self.reward),
            tf.einsum("...sa,sa->...", pair, self.ends) > 0.5,
        )

    def exact(self, kernel, bias, discount):
        """Returns the gradient of minus the mean return, over all paths."""
        with tf.GradientTape() as tape:
            tape.watch([kernel, bias])
            pi = tf.nn.softmax(kernel + bias)
            value = tf.zeros([3])
            for _ in range(_HORIZON):
                ahead = tf.einsum("sak,k->sa", self.p, value)
                q = self.reward + discount * (1.0 - self.ends) * ahead
                value = tf.reduce_sum(pi * q, -1)
            loss = -tf.reduce_mean(value)
        return tape.gradient(loss, [kernel, bias])


def _set_all_runs(weights, values):
    for weight, value in zip(weights, values, strict=True):
        weight.assign(tf.broadcast_to(value, weight.shape))


def _rollout(environment, policy, episodes, seed):
    shape = (len(policy.network.seeds), episodes)
    return rl.rollout(environment, policy.act, policy.noise_size, shape, seed)


def _draws(environment, policy, estimator, baseline, seed, discount):
    """Returns each run's gradient by the policy's weights, as a dict."""

    @tf.function(autograph=False)
    def run(seed):
        paths = _rollout(environment, policy, _EPISODES, seed)
        returns = rl.discounted_returns(paths.rewards, discount)
        if discount < 1.0:  # The gradient of the discounted return.
            weight = discount ** tf.range(float(_HORIZON))
        else:
            weight = tf.ones([_HORIZON])
        paths = paths._replace(alive=paths.alive * weight)
        advantages = returns - baseline(paths.observations)
        return rl.policy_gradient(
            policy, paths, advantages, estimator
        ).gradients

    gradients = run(tf.constant(seed))
    return {str(i): np.asarray(x) for i, x in enumerate(gradients)}


def _no_baseline(s):
    return 0.0


def _baseline(s):
    return tf.reduce_sum(tf.constant([1.0, -0.7, 0.4]) * s, -1)


def _action_value(num_actions):
    return rl.ActionValue(
        3, num_actions, (6,), "tanh", scale=2.0, seeds=[5] * _RUNS
    )


# Name -> (estimator of the number of actions, baseline).
_METHODS = {
    "reinforce": (lambda a: tfr.Reinforce(), _no_baseline),
    "a2c": (lambda a: tfr.Reinforce(), _baseline),
    "relax": (lambda a: tfr.RELAX(_action_value(a)), _no_baseline),
    "relax_with_v": (lambda a: tfr.RELAX(_action_value(a)), _baseline),
    "relax_independent": (
        lambda a: tfr.RELAX(_action_value(a), coupled=False),
        _baseline,
    ),
}
_CASES = [
    (name, *rest)
    for name, rest in itertools.product(_METHODS, [(2, _DISCOUNT), (3, 1.0)])
]


def _process_and_policy(num_actions):
    process = _Process(num_actions)
    policy = rl.CategoricalPolicy(3, num_actions, (), seeds=[0] * _RUNS)
    rng = np.random.default_rng(7)
    kernel = tf.constant(rng.normal(size=[3, num_actions]), tf.float32)
    bias = tf.constant(rng.normal(size=[num_actions]), tf.float32)
    _set_all_runs(policy.trainable_variables, [kernel, bias])
    return process, policy, kernel, bias


def _assert_unbiased(draws, exact):
    testing.assert_unbiased(
        draws,
        {str(i): np.asarray(x) for i, x in enumerate(exact)},
        detects=_DETECTS,
        false_fail_rate=_FALSE_FAIL_RATE,
        num_tests=len(_CASES) + 2,
    )


@pytest.mark.parametrize("case", _CASES, ids=lambda c: "-".join(map(str, c)))
def test_unbiased_on_a_decision_process(case, vary_seed):
    name, num_actions, discount = case
    process, policy, kernel, bias = _process_and_policy(num_actions)
    make, baseline = _METHODS[name]
    draws = _draws(
        process,
        policy,
        make(num_actions),
        baseline,
        cases.seed_of(*case, vary_seed=vary_seed),
        discount,
    )
    _assert_unbiased(draws, process.exact(kernel, bias, discount))


class _Released(rl.CategoricalPolicy):
    """Draws z given b as the released code of the paper does."""

    def draw(self, distribution, noise):
        return test_mutants._ReleasedSampler(super().draw(distribution, noise))


def test_the_released_sampler_is_caught():
    num_actions = 3
    process, right, kernel, bias = _process_and_policy(num_actions)
    policy = _Released(3, num_actions, (), seeds=[0] * _RUNS)
    _set_all_runs(policy.trainable_variables, [kernel, bias])
    del right
    c = rl.ActionValue(
        3, num_actions, (6,), "tanh", scale=20.0, seeds=[5] * _RUNS
    )
    draws = _draws(
        process,
        policy,
        tfr.RELAX(c, coupled=False),
        _no_baseline,
        (1, num_actions),
        1.0,
    )
    with pytest.raises(AssertionError, match="Biased in"):
        _assert_unbiased(draws, process.exact(kernel, bias, 1.0))


class _LinearQuadratic(rl.Environment):
    """s' = 0.9 s + 0.5 a + 0.3 noise, r = -s^2 - 0.3 a^2 + 0.2 s a."""

    discrete = False
    observation_size = action_size = 1
    max_steps = _HORIZON
    solved_at = 0.0

    def reset(self, shape, seed):
        normal = tf.random.stateless_normal(shape, seed)
        return 0.5 + 0.4 * normal[..., tf.newaxis]

    def observe(self, state):
        return state

    def step(self, state, action, seed):
        s, a = state[..., 0], action[..., 0]
        noise = tf.random.stateless_normal(tf.shape(s), seed)
        return rl.Transition(
            (0.9 * s + 0.5 * a + 0.3 * noise)[..., tf.newaxis],
            -tf.square(s) - 0.3 * tf.square(a) + 0.2 * s * a,
            tf.zeros_like(s, tf.bool),
        )

    def exact(self, log_scale, kernel, bias):
        """The state stays normal: mean and variance say all."""
        sources = [log_scale, kernel, bias]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            w, b, scale = kernel[0, 0], bias[0], tf.exp(log_scale[0])
            mean, variance, loss = 0.5, 0.4**2, 0.0
            for _ in range(_HORIZON):
                action = w * mean + b
                loss += mean**2 + variance
                loss += 0.3 * (action**2 + w**2 * variance + scale**2)
                loss -= 0.2 * (mean * action + w * variance)
                mean = 0.9 * mean + 0.5 * action
                variance = (0.9 + 0.5 * w) ** 2 * variance
                variance += 0.25 * scale**2 + 0.3**2
        return tape.gradient(loss, sources)


@pytest.mark.parametrize(
    ("scale", "baseline"), [(0.0, 0.0), (3.0, -1.5)], ids=["none", "network"]
)
def test_lax_is_unbiased_on_a_linear_quadratic_process(scale, baseline):
    policy = rl.GaussianPolicy(1, 1, (), seeds=[0] * _RUNS)
    values = [
        tf.constant([-0.4]),
        tf.constant([[-0.6]]),
        tf.constant([0.2]),
    ]
    by_shape = sorted(policy.trainable_variables, key=lambda v: v.name)
    by_name = {v.name: v for v in by_shape}
    names = ("log_scale", "kernel_0", "bias_0")
    _set_all_runs([by_name[n] for n in names], values)
    c = rl.ActionValue(
        1, 1, (6,), "tanh", relaxed=False, scale=scale, seeds=[5] * _RUNS
    )
    process = _LinearQuadratic()
    draws = _draws(
        process,
        policy,
        tfr.LAX(c),
        lambda s: baseline * s[..., 0],
        (2, 9),
        1.0,
    )
    exact = dict(zip(names, process.exact(*values), strict=True))
    order = [v.name for v in policy.trainable_variables]
    _assert_unbiased(draws, [exact[name] for name in order])


def _one_episode(objective):
    process = _Process(3)
    policy = rl.CategoricalPolicy(3, 3, (4,), seeds=[0, 1])
    c = rl.ActionValue(3, 3, (4,), "tanh", scale=0.7, seeds=[2, 3])
    paths = _rollout(process, policy, 1, (4, 4))
    returns = rl.discounted_returns(paths.rewards, 1.0)

    def result():
        return rl.policy_gradient(
            policy, paths, returns, tfr.RELAX(c), objective=objective
        )

    return c, result


@pytest.mark.parametrize("objective", ["weights", "parameters", "regression"])
def test_objective_is_differentiated_right(objective):
    c, result = _one_episode(objective)
    found = result()
    variables = [v.value for v in c.trainable_variables]
    gradients = found.tape.gradient(found.objective, variables)
    step = 1e-2
    for variable, gradient in zip(variables, gradients, strict=True):
        before = variable.numpy()
        index = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        ends = []
        for sign in (1.0, -1.0):
            moved = before.copy()
            moved[index] += sign * step
            variable.assign(moved)
            ends.append(float(result().objective))
        variable.assign(before)
        numeric = (ends[0] - ends[1]) / (2.0 * step)
        np.testing.assert_allclose(gradient[index], numeric, rtol=0.02)


def test_weights_objective_is_the_squared_norm():
    _, result = _one_episode("weights")
    found = result()
    total = sum(float(np.sum(np.square(g))) for g in found.gradients)
    np.testing.assert_allclose(float(found.objective), total, rtol=1e-6)


def test_unknown_objective_is_named():
    with pytest.raises(ValueError, match="Did you mean 'weights'"):
        _one_episode("weight")[1]()


def test_runs_do_not_touch_each_other():
    process = _Process(2)
    paths = {}
    for seeds in ([3, 4], [3, 9]):
        policy = rl.CategoricalPolicy(3, 2, (4,), seeds=seeds)
        paths[tuple(seeds)] = _rollout(process, policy, 5, (1, 1))
    first, second = paths.values()
    np.testing.assert_array_equal(first.rewards[0], second.rewards[0])


def test_returns_by_hand():
    rewards = tf.constant([[1.0, 2.0, 4.0, 0.0]])
    np.testing.assert_allclose(
        rl.discounted_returns(rewards, 0.5), [[3.0, 4.0, 4.0, 0.0]]
    )
    ended = tf.constant([[0.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        rl.discounted_returns(rewards, 0.5, ended), [[2.0, 2.0, 4.0, 0.0]]
    )
    beyond = tf.constant([[0.0, 6.0, 0.0, 8.0]])
    np.testing.assert_allclose(
        rl.discounted_returns(rewards, 0.5, ended, beyond),
        [[3.5, 5.0, 6.0, 4.0]],
    )


def test_rollout_stops_where_an_episode_ends():
    process = _Process(2)
    policy = rl.CategoricalPolicy(3, 2, (), seeds=[0])
    paths = _rollout(process, policy, 200, (0, 3))
    alive = np.asarray(paths.alive[0])
    assert (np.diff(alive, axis=-1) <= 0).all()
    lengths = alive.sum(-1)
    assert (lengths < _HORIZON).any() and not (lengths < _HORIZON).all()
    np.testing.assert_array_equal(paths.ended[0].numpy().sum(-1), 1.0)
    last = (np.arange(200), lengths.astype(int) - 1)
    assert (np.asarray(paths.ended[0])[last] == 1.0).all()
    short = lengths < _HORIZON
    terminated = np.asarray(paths.terminated[0])[last]
    assert (terminated[short] == 1.0).all()
    assert (np.asarray(paths.rewards[0])[alive == 0] == 0.0).all()
