"""Rollout and update of all runs in one XLA program."""

from typing import Any

import tensorflow as tf

from tf_relax.rl._environment import Environment
from tf_relax.rl._learner import Learner
from tf_relax.rl._player import learn_episodes
from tf_relax.rl._player import learn_steps
from tf_relax.rl._player import Player
from tf_relax.rl._player import Progress
from tf_relax.rl._rollout import begin
from tf_relax.rl._rollout import rollout
from tf_relax.rl._rollout import rollout_steps
from tf_relax.rl._rollout import Running
from tf_relax.rl._trajectories import Trajectories


class TensorFlowPlayer(Player):
    """Plays environments that are TensorFlow functions.

    Args:
      learner: what plays and learns.
      environment: TensorFlow dynamics.
      num_copies: N, of each run.
      num_steps: T of an update, going on where the last one was; or None for
        a whole episode of each copy.
      jit_compile: whether XLA compiles it.

    Examples:
      >>> import keras
      >>> from tf_relax import rl
      >>> import tf_relax as tfr
      >>> policy = rl.CategoricalPolicy(4, 2, seeds=[0, 1])
      >>> critic = rl.Perceptrons(4, (10,), 1, seeds=[2, 3])
      >>> learner = rl.Learner(policy, tfr.Reinforce(), critic,
      ...     tuple(keras.optimizers.Adam(0.01) for _ in range(3)))
      >>> player = rl.TensorFlowPlayer(
      ...     learner, rl.CartPole(20, 15.0), 1, jit_compile=False)
      >>> player.updates(3).returns.shape
      TensorShape([3, 2, 1, 1])
    """

    def __init__(
        self,
        learner: Learner,
        environment: Environment,
        num_copies: int,
        num_steps: int | None = None,
        *,
        jit_compile: bool = True,
    ) -> None:
        """See the class."""
        self._learner = learner
        self._environment = environment
        self._shape = (learner.num_runs, num_copies)
        self._num_steps = num_steps
        # Where the copies are, between updates of a fixed number of steps.
        self._now: list[tf.Variable] = []
        if num_steps is not None:
            seed = tf.constant([learner.seed, -1])
            first = begin(environment, self._shape, seed)
            self._now = [tf.Variable(x) for x in first]
        options = {"jit_compile": jit_compile, "autograph": False}
        self._run = tf.function(self._updates, **options)
        self._play = tf.function(self._trajectories, **options)
        self._episodes = tf.function(self._rollout, **options)

    @property
    def variables(self) -> list[Any]:
        """See `Player.variables`."""
        return self._now

    @property
    def is_restored(self) -> bool:
        """See `Player.is_restored`."""
        return True

    def updates(self, num_updates: int) -> Progress:
        """See `Player.updates`."""
        return self._run(num_updates)

    def trajectories(self) -> Trajectories:
        """See `Player.trajectories`."""
        return self._play()

    def episodes(self, num_episodes: int, seed: tf.Tensor) -> Trajectories:
        """See `Player.episodes`."""
        return self._episodes(num_episodes, seed)

    def _updates(self, num_updates: int) -> Progress:
        runs, copies = self._shape
        learn = learn_steps if self._now else learn_episodes
        looks = self._num_steps or 1
        by_look = [runs, copies, looks]
        shapes = by_look, by_look, by_look, [runs, looks], [runs]
        arrays = [
            tf.TensorArray(tf.float32, num_updates, element_shape=shape)
            for shape in shapes
        ]

        def body(k: tf.Tensor, arrays: Any) -> Any:
            progress = learn(self._learner, self._trajectories())
            pairs = zip(arrays, progress, strict=True)
            return k + 1, [array.write(k, x) for array, x in pairs]

        _, arrays = tf.while_loop(
            lambda k, arrays: k < num_updates,
            body,
            (tf.constant(0), arrays),
            parallel_iterations=1,
        )
        return Progress(*(array.stack() for array in arrays))

    def _trajectories(self) -> Trajectories:
        learner, seed = self._learner, self._learner.seed_of_update()
        if not self._now:
            return self._rollout(self._shape[1], seed)
        paths, last = rollout_steps(
            self._environment,
            learner.act,
            learner.policy.noise_size,
            Running(*(tf.convert_to_tensor(v) for v in self._now)),
            self._num_steps or 0,
            seed,
        )
        for variable, value in zip(self._now, last, strict=True):
            variable.assign(value)
        return paths

    def _rollout(self, num_episodes: int, seed: tf.Tensor) -> Trajectories:
        learner = self._learner
        return rollout(
            self._environment,
            learner.act,
            learner.policy.noise_size,
            (learner.num_runs, num_episodes),
            seed,
        )
