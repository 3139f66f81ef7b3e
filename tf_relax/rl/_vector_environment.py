"""What a player needs of a vector environment, whoever made it."""

import math
from typing import Any

import numpy as np


class VectorEnvironment:
    """Many copies that begin anew in the step after an episode's end.

    Observations become vectors: boxes flat, discrete ones one-hot.

    Args:
      environments: with gymnasium's `reset` and `step`, of a batch; an
        environment whose episode is over must be reset by the next step, whose
        action is ignored (`AutoresetMode.NEXT_STEP`, and all of envpool).
      observation_space: of one copy.
      action_space: of one copy.
      num_copies: M.
      max_steps: after which an episode is truncated.
      obeys_seeds: whether episodes depend on the seed of `reset` alone.

    Attributes:
      observation_size: O.
      action_size: A, number of actions or components of one.
      discrete: whether actions are indices.

    Raises:
      ValueError: if a space is of another kind.
    """

    def __init__(
        self,
        environments: Any,
        observation_space: Any,
        action_space: Any,
        num_copies: int,
        max_steps: int,
        *,
        obeys_seeds: bool = True,
    ) -> None:
        """See the class."""
        kinds = [type(x).__name__ for x in (observation_space, action_space)]
        if not set(kinds) <= {"Box", "Discrete"}:
            raise ValueError(
                "Observations and actions must be of the spaces Box or "
                f"Discrete. Received: observations {kinds[0]}, actions "
                f"{kinds[1]}. Wrap the environment, for example by "
                "gymnasium.wrappers.FlattenObservation."
            )
        self.num_copies = num_copies
        self.max_steps = max_steps
        self.obeys_seeds = obeys_seeds
        self.discrete = kinds[1] == "Discrete"
        self.observation_size = _size(observation_space)
        self.action_size = _size(action_space)
        self._environments = environments
        self._observation_space = observation_space
        self._action_space = action_space

    def reset(self, seed: int) -> np.ndarray:
        """Returns observations `[M, O]` of new episodes."""
        observations, _ = self._environments.reset(seed=seed)
        return self._vectors(observations)

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Returns observations, rewards, terminated and truncated.

        Args:
          actions: `[M]` indices, or `[M, A]`, cut to the space's bounds; the
            noise that made them stays what it was.
        """
        space = self._action_space
        if self.discrete:
            actions = actions + space.start
        else:
            shape = [-1, *space.shape]
            actions = np.clip(actions.reshape(shape), space.low, space.high)
        observations, rewards, terminated, truncated, _ = (
            self._environments.step(actions.astype(space.dtype))
        )
        return (
            self._vectors(observations),
            np.asarray(rewards, np.float32),
            np.asarray(terminated, bool),
            np.asarray(truncated, bool),
        )

    def render(self) -> np.ndarray:
        """Returns a picture of the first copy, `[height, width, 3]`."""
        return np.asarray(self._environments.render()[0])

    def _vectors(self, observations: np.ndarray) -> np.ndarray:
        space = self._observation_space
        if hasattr(space, "n"):
            classes = np.asarray(observations) - space.start
            return np.eye(space.n, dtype=np.float32)[classes]
        flat = np.reshape(observations, [self.num_copies, -1])
        return flat.astype(np.float32)


def _size(space: Any) -> int:
    return int(space.n) if hasattr(space, "n") else math.prod(space.shape)
