r"""Kills tiny runs of three binaries at random moments, and runs them again.

By hand; each kill is a row of the CSV file. A run that was killed some times
and came to its end must be bitwise the run that was never killed: weights,
optimizers' state, metrics.csv and the list of files.

Half of the moments are in the middle of a write: the file is cut in half and
the process dies by SIGKILL before, between or after fsync and os.replace, as
if the power had gone. The others are SIGINT, SIGTERM and SIGKILL by the clock.

With --xla the programs are compiled, as by default: minutes of compilation for
every kill on a busy machine. Without it runs are eager (sweeps in graph mode,
on one thread), which repeats itself bitwise, too.

Example:
  python tests/kill_runs.py --kills=12 --out=results/kills.csv
"""

import argparse
import os
import pathlib
import random
import runpy
import signal
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
import test_resume

from tf_relax import _output
from tf_relax import datasets

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_VAE = (
    "--architecture=linear1 --num_latents=20 --estimator=leave_one_out "
    "--batch_size=20 --steps_per_call=5 --steps=200 --bound_samples=0"
)
_FLAGS = {
    "train_vae": _VAE,
    "sweep": f"{_VAE} --learning_rate=.01,.02",
    "train_rl": "--env=LinearQuadratic-v0 --estimator=lax --num_seeds=2 "
    "--hidden=5 --updates_per_call=2 --max_episodes=20",
}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def _few_images(*args, **kwargs):
    whole = np.random.default_rng(0).random((1000, 784)) < 0.3
    images = whole.astype(np.uint8)
    return datasets.ImageDataset(
        "few", images[:400], images[400:500], images[500:600], False
    )


def _start(binary, out, xla, write=0):
    """Starts a binary; it kills itself at the n-th look of a write."""
    child = os.fork()
    if child:
        return child
    with open(out.parent / f"{out.name}.log", "a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    datasets.load = _few_images
    # It may be ignored where this was started.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if write:
        _die_in_write(write)
    sys.argv = [f"{binary}.py", f"--out={out}", *_FLAGS[binary].split()]
    sys.argv += [f"--jit_compile={str(xla).lower()}"]
    tf.config.run_functions_eagerly(not xla and binary != "sweep")
    code = 0
    try:
        runpy.run_path(str(_ROOT / "bin" / sys.argv[0]), run_name="__main__")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else bool(error.code)
    finally:
        os._exit(code)


def _die_in_write(left):
    sync, move = _output._sync, os.replace

    def count():
        nonlocal left
        left -= 1
        return left == 0

    def dying_sync(path):
        if count():
            if path.is_file():
                os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        sync(path)

    def dying_move(*args):
        if count():
            os.kill(os.getpid(), signal.SIGKILL)
        move(*args)

    _output._sync, os.replace = dying_sync, dying_move


def _wait(child, seconds=float("inf"), until=lambda: False):
    """Returns the status of a child that ended, None if it goes on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def _changes(path, count):
    """Returns a function that says whether a file has changed so often."""
    seen = set()

    def enough():
        if path.exists():
            seen.add(path.stat().st_mtime_ns)
        return len(seen) > count

    return enough


def _kill(binary, out, xla, rng, seconds):
    """Runs a binary and kills it; returns what was done and its status."""
    if rng.random() < 0.5:
        write = rng.randint(1, 40)
        status = _wait(_start(binary, out, xla, write))
        return {"how": "power cut in a write", "at": f"write {write}"}, status
    how = rng.choice(_SIGNALS)
    child, changes = _start(binary, out, xla), rng.randint(0, 8)
    status = _wait(child, until=_changes(out / "metrics.csv", changes))
    pause = rng.uniform(0, seconds)
    if status is None:
        status = _wait(child, pause)
    if status is None:
        os.kill(child, how)
        status = _wait(child)
    at = f"{changes} changes of metrics.csv + {pause:.3f} s"
    return {"how": how.name, "at": at}, status


def _runs(binary, folder, xla, kills, rng):
    """Yields a row for each kill."""
    straight = folder / "straight"
    begin = time.monotonic()
    assert _wait(_start(binary, straight, xla)) == 0, "see the log"
    pause = (time.monotonic() - begin) / 40
    run = 0
    while kills > 0:
        run += 1
        out, rows, status = folder / f"killed_{run}", [], None
        while status != 0:
            row, status = _kill(binary, out, xla, rng, pause)
            if status in (130, -signal.SIGKILL, -signal.SIGTERM):
                kills -= 1
                row |= {"status": status, "rows": _num_rows(out)}
                mode = (
                    "xla" if xla else "eager" if binary != "sweep" else "graph"
                )
                key = {"binary": binary, "mode": mode, "run": run}
                rows.append(key | row)
            elif status != 0:
                raise RuntimeError(f"{binary} ended with {status}: see {out}")
            if kills <= 0 and status != 0:
                status = _wait(_start(binary, out, xla))
        same = {"same_in_the_end": _same(straight, out)}
        yield from (row | same for row in rows)


def _same(one, two):
    """Compares in a child: TensorFlow must not run where others are forked."""
    child = os.fork()
    if not child:
        try:
            test_resume._assert_same_run(one, two)
            os._exit(0)
        finally:
            os._exit(1)
    return "no" if _wait(child) else "yes"


def _num_rows(out):
    return len(_output.read_csv(out / "metrics.csv"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12, help="of each binary")
    parser.add_argument("--xla", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    given = parser.parse_args()
    rng, rows = random.Random(given.seed), []
    with tempfile.TemporaryDirectory() as folder:
        for binary in _FLAGS:
            (own := pathlib.Path(folder) / binary).mkdir()
            for row in _runs(binary, own, given.xla, given.kills, rng):
                rows.append(row)
                print(row, flush=True)
                _output.write_csv(given.out, rows)
    if any(row["same_in_the_end"] != "yes" for row in rows):
        sys.exit("A run came out otherwise.")


if __name__ == "__main__":
    main()
