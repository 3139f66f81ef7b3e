"""Tables and figures of policy gradients, from the folders of runs."""

from collections.abc import Sequence
import pathlib
from typing import Any

import numpy as np

from tf_relax.experiments import _files
from tf_relax.experiments import _plots
from tf_relax.experiments._markdown import table_of


def _runs(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Returns settings and summary of each run in a folder."""
    return [
        _files.read_json(path.parent / "config.json")["settings"]
        | {"folder": path.parent, "summary": _files.read_json(path)}
        for path in sorted(folder.glob("*/summary.json"))
    ]


def _best(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the best learning rate of each environment and estimator.

    That is the fewest episodes, mean over the seeds; one that was not solved
    counts with all that it had.
    """

    def cost(run: dict[str, Any]) -> float:
        seeds = run["summary"]["runs"].values()
        counts = [x["episodes_to_solve"] or x["episodes"] for x in seeds]
        return float(np.mean(counts))

    groups: dict[Any, list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["env"], run["estimator"]), []).append(run)
    return [min(own, key=cost) for _, own in sorted(groups.items())]


def rl(results: pathlib.Path) -> str:
    """Returns the table of the best learning rate of each case."""
    return _table(_best(_runs(results / "rl")))


def rl_grid(results: pathlib.Path) -> str:
    """Returns the table of all learning rates."""
    return _table(_runs(results / "rl"))


def _table(runs: Sequence[dict[str, Any]]) -> str:
    lines = []
    order = ("env", "estimator", "learning_rate")
    for run in sorted(runs, key=lambda run: [run[name] for name in order]):
        summary = run["summary"]
        seeds = list(summary["runs"].values())
        solved = [seed for seed in seeds if seed["solved"]]
        lines.append(
            [
                run["env"],
                f"`{run['estimator']}`",
                f"{run['learning_rate']:g}",
                f"{len(solved)} of {len(seeds)}",
                _mean([seed["episodes_to_solve"] for seed in solved]),
                _mean([seed["steps_to_solve"] for seed in solved]),
                _mean([seed["seconds_to_solve"] for seed in solved], 1),
            ]
        )
    return table_of(
        [
            "environment",
            "estimator",
            "learning rate",
            "solved",
            "episodes",
            "steps",
            "seconds, all seeds at once",
        ],
        lines,
    )


def rl_share(results: pathlib.Path) -> str:
    """Returns the table of the variance that is left at frozen policies."""
    lines = []
    for path in sorted((results / "rl_share").glob("*/variance.csv")):
        run = _files.read_json(path.parent / "config.json")["settings"]
        rows = _files.read_csv(path)
        last = max(int(row["update"]) for row in rows)
        totals: dict[str, list[float]] = {}
        for row in rows:
            if int(row["update"]) == last:
                total = float(row["total_variance"])
                totals.setdefault(row["estimator"], []).append(total)
        base = np.array(totals["a2c"])
        own = np.array(totals[run["estimator"]]) / base
        none = np.array(totals["reinforce"]) / base
        lines.append(
            [
                run["env"],
                f"{run['discount']:g}",
                "trained" if run["start_from"] else "new",
                f"{np.exp(np.log(none).mean()):.3g}",
                f"`{run['estimator']}`",
                f"{own.mean():.3f} +- {_error(own):.3f}",
            ]
        )
    return table_of(
        [
            "environment",
            "discount",
            "policy",
            "reinforce / a2c",
            "estimator",
            "its variance / a2c's",
        ],
        sorted(lines),
    )


def rl_benchmark(results: pathlib.Path) -> str:
    """Returns the table of environment steps a second."""
    rows = _files.read_csv(results / "rl_benchmark.csv")
    return table_of(
        [
            "case",
            "backend",
            "estimator",
            "1,000 steps a second (min-max)",
            "ms an update",
            "playing",
            "of that stepping",
            "learning",
        ],
        [
            [
                row["case"],
                row["env_backend"],
                f"`{row['estimator']}`",
                "{:.3g} ({:.3g}-{:.3g})".format(
                    *(
                        float(row[name]) / 1000
                        for name in ("steps_per_second", "min", "max")
                    )
                ),
                *(
                    f"{float(row[name]):.3g}" if row[name] else ""
                    for name in (
                        "ms_an_update",
                        "ms_playing",
                        "ms_stepping",
                        "ms_learning",
                    )
                ),
            ]
            for row in rows
        ],
    )


def draw_rl(results: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    """Draws returns and gradient variances (the paper's Figure 5)."""
    runs = _best(_runs(results / "rl"))
    drawn = []
    for env in dict.fromkeys(run["env"] for run in runs):
        path = out / f"rl_{env.lower().replace('-', '_')}.png"
        if _draw(
            path, env, [run for run in runs if run["env"] == env], results
        ):
            drawn.append(path)
    return drawn


def _draw(
    path: pathlib.Path,
    env: str,
    runs: Sequence[dict[str, Any]],
    results: pathlib.Path,
) -> bool:
    measured = [
        run for run in _runs(results / "rl_variance") if run["env"] == env
    ]
    made = _plots.figure(1, 2 if measured else 1, 11 if measured else 6, 3.8)
    if made is None:
        return False
    drawing, axes = made
    axis = axes[0][0]
    for run in runs:
        rows = _files.read_csv(run["folder"] / "metrics.csv")
        mean = f"mean_return_{run['window']}"
        _band(axis, rows, "episode", mean, run["estimator"])
    threshold = runs[0]["summary"]["threshold"]
    axis.axhline(threshold, color="k", ls=":", lw=0.9)
    axis.set_ylabel("mean return of the last episodes")
    axis.set_title(env)
    for run in measured:
        rows = _files.read_csv(run["folder"] / "variance.csv")
        for name in dict.fromkeys(row["estimator"] for row in rows):
            own = [row for row in rows if row["estimator"] == name]
            label = f"{name}, at {run['estimator']}'s policy"
            _band(axes[0][1], own, "update", "log_variance", label)
    axes[0][-1].set_xlabel("update")
    axis.set_xlabel("episode")
    if measured:
        axes[0][1].set_ylabel("log variance of an episode's gradient")
    for axis in axes[0]:
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    _plots.save(path, drawing)
    return True


def _band(
    axis: Any, rows: Sequence[dict[str, str]], x: str, name: str, label: str
) -> None:
    """Draws mean and standard error over the seeds, where all are there."""
    seeds: dict[str, dict[int, float]] = {}
    for row in rows:
        if row[name]:
            own = seeds.setdefault(row["seed"], {})
            own[int(row[x])] = float(row[name])
    common = sorted(set.intersection(*(set(own) for own in seeds.values())))
    y = np.array([[own[place] for place in common] for own in seeds.values()])
    mean, error = y.mean(0), y.std(0, ddof=1) / np.sqrt(len(y))
    axis.plot(common, mean, label=label, lw=1.2)
    axis.fill_between(common, mean - error, mean + error, alpha=0.2)


def _mean(x: Sequence[float], digits: int = 0) -> str:
    """Returns a mean and its standard error."""
    if not x:
        return "-"
    if len(x) == 1:
        return f"{x[0]:.{digits}f}"
    return f"{np.mean(x):.{digits}f} +- {_error(x):.{digits}f}"


def _error(x: Any) -> float:
    return float(np.std(x, ddof=1) / np.sqrt(len(x)))
