"""Episodes of a trained policy, and what they look like."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tf_relax import relaxations
from tf_relax import rl
from tf_relax.experiments import _files
from tf_relax.experiments._rl import newest_checkpoint
from tf_relax.experiments._rl import restore_checkpoint
from tf_relax.experiments._rl_environments import make_gymnasium
from tf_relax.experiments._rl_settings import make_learner
from tf_relax.experiments._rl_settings import RLSettings
from tf_relax.experiments._settings import of_run
from tf_relax.experiments._settings import setting


@dataclasses.dataclass(frozen=True)
class PlaySettings:
    """What is played; the flags of `bin/play.py`."""

    video: str = setting("", "GIF to write, of the first episode; empty: none.")
    num_episodes: int = setting(5, "Episodes to play.", 1)
    seed: int = setting(0, "Seed of the environment and the actions.", 0)
    run_seed: int = setting(
        -1, "Seed of the policy; -1: that of the best last episodes.", -1
    )


def play(settings: PlaySettings, run: pathlib.Path) -> list[dict[str, Any]]:
    """Plays episodes of a run's policy in gymnasium, as it was last saved.

    Args:
      settings: what is played.
      run: folder of a run of `train_rl`.

    Returns:
      Seed of the policy, return and length of each episode.

    Raises:
      FileNotFoundError: if there is no such run.
      ValueError: if it has no such seed.
      ImportError: if gymnasium, or Pillow for a video, is missing.
    """
    if settings.video and not settings.video.endswith(".gif"):
        raise ValueError(
            f"`video` must end in .gif. Received: video={settings.video}."
        )
    checkpoint = newest_checkpoint(run)
    if checkpoint is None:
        raise FileNotFoundError(
            f"No run at {run}. Expected the folder of a run of train_rl, with "
            "its checkpoint.npz."
        )
    trained = of_run(RLSettings, run)
    environment = make_gymnasium(trained.env, 1, pictures=bool(settings.video))
    learner = make_learner(trained, environment)
    history = restore_checkpoint(checkpoint, learner.variables, trained)
    means = [history.means(i) for i in range(trained.num_seeds)]
    best = int(np.argmax([x[-1] if len(x) else -np.inf for x in means]))
    chosen = best if settings.run_seed < 0 else settings.run_seed - trained.seed
    if not 0 <= chosen < trained.num_seeds:
        raise ValueError(
            f"The seeds of {run} are {trained.seed} to "
            f"{trained.seed + trained.num_seeds - 1}. Received: "
            f"run_seed={settings.run_seed}."
        )
    rows: list[dict[str, Any]] = []
    frames: list[np.ndarray] = []
    for episode in range(settings.num_episodes):
        seed = relaxations.fold_seed((settings.seed, 0), episode)
        shown = frames if settings.video and not episode else None
        gained, length = _episode(environment, learner, chosen, seed, shown)
        rows.append(
            {
                "seed": trained.seed + chosen,
                "episode": episode + 1,
                "return": round(gained, 4),
                "length": length,
            }
        )
    if frames:
        _write_gif(pathlib.Path(settings.video), frames)
    return rows


def _episode(
    environment: rl.VectorEnvironment,
    learner: rl.Learner,
    run: int,
    seed: tf.Tensor,
    frames: list[np.ndarray] | None,
) -> tuple[float, int]:
    """Returns an episode's return and length; adds its pictures."""
    act = tf.function(learner.act, autograph=False)
    seen = environment.reset(int(seed[0]) % 2**31)
    gained = 0.0
    for step in range(environment.max_steps):
        if frames is not None:
            frames.append(environment.render())
        noise = relaxations.open_uniform(
            relaxations.fold_seed(seed, step),
            tf.constant([learner.num_runs, 1, learner.policy.noise_size]),
            tf.float32,
        )
        # All policies see it, one acts.
        same = np.broadcast_to(seen, [learner.num_runs, *seen.shape])
        action = act(tf.constant(same), noise)[run]
        if environment.discrete:
            action = tf.argmax(action, -1)
        seen, reward, terminated, truncated = environment.step(action.numpy())
        gained += float(reward[0])
        if terminated[0] or truncated[0]:
            break
    return gained, step + 1


def _write_gif(path: pathlib.Path, frames: list[np.ndarray]) -> None:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "A video needs Pillow. Install it with `pip install "
            "'tf_relax[plot]'`."
        ) from error
    # Every second one at 25 a second: the tasks' 50.
    images = [Image.fromarray(frame) for frame in frames[::2]]
    _files.replace(
        path,
        lambda draft: images[0].save(
            draft,
            save_all=True,
            append_images=images[1:],
            duration=40,
            loop=0,
            optimize=True,
        ),
    )
