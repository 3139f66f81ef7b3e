"""Packaging: `pip install .`, or `pip install -e '.[dev]'` to work on it."""

import ast
import pathlib

import setuptools

_HERE = pathlib.Path(__file__).resolve().parent


def _literal(path: str, name: str):
    """Returns the literal called `name` in a module, without importing it."""
    for node in ast.parse((_HERE / path).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise ValueError(f"{path} must define `{name}` as a literal.")


_RANGES = _literal("tf_relax/_requirements.py", "RANGES")
# TensorFlow writes event files only with tensorboard beside it, which it no
# longer requires from 2.21 on.
_PLOT = ["matplotlib>=3.8", "tensorboard>=2.20"]
# Each is a module of tf_relax.commands, as the scripts of bin/ are.
_SCRIPTS = {
    "tf-relax-vae": "train_vae",
    "tf-relax-eval": "eval_vae",
    "tf-relax-sweep": "sweep",
    "tf-relax-compare": "compare",
    "tf-relax-rl": "train_rl",
    "tf-relax-play": "play",
    "tf-relax-toy": "toy",
    "tf-relax-benchmark": "benchmark",
}
_RL = ["gymnasium[box2d,classic-control,mujoco]>=1.0"]
_TEST = [
    *_PLOT,
    *_RL,
    "hypothesis>=6.100",
    "pytest>=8",
    "pytest-xdist>=3.5",
    "scipy>=1.11",
]

setuptools.setup(
    name="tf_relax",
    version=_literal("tf_relax/_version.py", "__version__"),
    description=(
        "Low-variance, unbiased gradients of E[f(b)] for TensorFlow 2: LAX, "
        "DLAX, RELAX and REBAR, where f may be a black box and b discrete."
    ),
    long_description=(_HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=setuptools.find_packages(include=["tf_relax", "tf_relax.*"]),
    package_data={
        "tf_relax": ["py.typed"],
        "tf_relax.datasets": ["*.npz", "*.txt"],
    },
    entry_points={
        "console_scripts": [
            f"{name} = tf_relax.commands.{module}:main"
            for name, module in _SCRIPTS.items()
        ]
    },
    python_requires=">=3.10,<3.14",
    install_requires=[
        *(name + wanted for name, wanted in _RANGES.items()),
        "absl-py>=2.0",
        "numpy>=1.26",
        # Python has no distutils since 3.12, and TFP 0.25 imports it.
        "setuptools; python_version >= '3.12'",
    ],
    extras_require={
        "plot": _PLOT,
        "rl": _RL,
        "cuda": ["tensorflow[and-cuda]" + _RANGES["tensorflow"]],
        "test": _TEST,
        "dev": [*_TEST, "build", "mypy>=2.4,<3", "ruff>=0.17,<0.18", "twine"],
    },
    keywords="gradient estimation, discrete latent variables, RELAX, REBAR",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
