r"""Makes the MNIST file that is embedded in tf_relax.

Reads the original idx files, draws every pixel once with its grey level as
probability, and writes the bits. Same files and seed, same bytes.

Example (4 s on 2 CPU cores):
  python bin/make_mnist.py --data_dir=$HOME/mnist \
    --out=tf_relax/datasets/mnist.npz --seed=0
"""

import dataclasses
import hashlib
import pathlib

from absl import logging

from tf_relax.commands._program import Program
from tf_relax.datasets import make_static_mnist
from tf_relax.experiments import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """What is read and written."""

    out: str = setting("", "The .npz file to write.", required=True)
    data_dir: str = setting(
        "",
        "Folder with train-images-idx3-ubyte.gz and t10k-images-idx3-ubyte.gz, "
        "gzipped or not.",
        required=True,
    )
    seed: int = setting(0, "Of the draws.", 0)


def _run(options: Options) -> None:
    make_static_mnist(options.data_dir, options.out, options.seed)
    data = pathlib.Path(options.out).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    logging.info("%s: %d bytes, SHA-256 %s", options.out, len(data), digest)


PROGRAM = Program(
    "make_mnist", __doc__, _run, (Options,), out="file", device=False
)
main = PROGRAM.main
