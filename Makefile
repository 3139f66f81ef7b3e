# `make train` and `make test` need Python >= 3.10 (with venv) and a package
# index, nothing else. All that they install goes to .venv. Extra flags go in
# ARGS: make test ARGS="-k unbiased", make train ARGS=--seed=1.

PYTHON ?= python3
WORKERS ?= 2
ARGS ?=

# Relative paths only, and `python -m x` rather than `x`: the path of the
# checkout may hold spaces.
python := .venv/bin/python

# Whatever the shell is set up for: another virtual environment, another
# backend of Keras, other packages.
export KERAS_BACKEND := tensorflow
export PIP_USER := 0
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV

.NOTPARALLEL:
.PHONY: help train test test-oldest lint benchmark
.DELETE_ON_ERROR:

help:
	@echo "make train      trains a VAE on MNIST by RELAX, into runs/first"
	@echo "make test       runs the tests"
	@echo "make test-oldest  runs many of them with the oldest TensorFlow, Keras"
	@echo "make lint       checks format, style and types"
	@echo "make benchmark  times the estimators, into runs/benchmark.csv"

train: .venv/.installed-plot
	$(python) bin/train_vae.py --flagfile=bin/configs/first.txt \
	  --out=runs/first $(ARGS)

# One thread a worker: more would only wait for each other.
test test-oldest: export OMP_NUM_THREADS = 1
test test-oldest: export TF_CPP_MIN_LOG_LEVEL = 2
test test-oldest: export TF_NUM_INTRAOP_THREADS = 1
test: .venv/.installed-test
	$(python) -m pytest -n $(WORKERS) $(ARGS)

# What the versions of TensorFlow, Keras and TFP may change, in a virtual
# environment with those of tests/oldest.txt.
test-oldest: .venv-oldest/.installed
	.venv-oldest/bin/python -m pytest -n $(WORKERS) \
	  tests/test_import.py tests/test_tfp.py tests/test_keras.py \
	  tests/test_models.py tests/test_docstrings.py tests/test_unbiased.py \
	  -k "not test_unbiased or rebar- or relax- or lax- or leave_one_out_k2" \
	  $(ARGS)

lint: .venv/.installed-dev
	$(python) -m ruff format --check .
	$(python) -m ruff check .
	$(python) -m mypy

benchmark: .venv/.installed-plot
	mkdir -p runs
	$(python) bin/benchmark.py --out=runs/benchmark.csv $(ARGS)

# One stamp an extra: pip runs again only if what it installs has changed.
.venv/.installed-%: setup.py pyproject.toml tf_relax/_requirements.py \
    tf_relax/_version.py
	$(python) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(python) -m pip install --disable-pip-version-check --editable ".[$*]"
	touch "$@"

.venv-oldest/.installed: tests/oldest.txt setup.py tf_relax/_requirements.py
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --disable-pip-version-check \
	  --editable ".[test]" --constraint tests/oldest.txt
	touch "$@"
