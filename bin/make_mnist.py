r"""Makes the MNIST file that is embedded in tf_relax.

Reads the original idx files, draws every pixel once with its grey level as
probability, and writes the bits. Same files and seed, same bytes.

Example (4 s on 2 CPU cores):
  python bin/make_mnist.py --data_dir=$HOME/mnist \
      --out=tf_relax/datasets/mnist.npz --seed=0
"""

from collections.abc import Sequence
import hashlib
import pathlib

from absl import app
from absl import flags
from absl import logging

from tf_relax.datasets import make_static_mnist

_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder with train-images-idx3-ubyte.gz and t10k-images-idx3-ubyte.gz, "
    "gzipped or not.",
    required=True,
)
_OUT = flags.DEFINE_string("out", None, "The .npz to write.", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "Of the draws.", lower_bound=0)


def main(argv: Sequence[str]) -> None:
    """Writes `--out`."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
    make_static_mnist(_DATA_DIR.value, _OUT.value, _SEED.value)
    data = pathlib.Path(_OUT.value).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    logging.info("%s: %d bytes, SHA-256 %s", _OUT.value, len(data), digest)


if __name__ == "__main__":
    app.run(main)
