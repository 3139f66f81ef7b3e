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
.PHONY: help train test test-oldest lint benchmark study
.DELETE_ON_ERROR:

help:
	@echo "make train      trains a VAE on MNIST by RELAX, into runs/first"
	@echo "make test       runs the tests"
	@echo "make test-oldest  runs many of them with the oldest TensorFlow, Keras"
	@echo "make lint       checks format, style and types"
	@echo "make benchmark  times the estimators, into runs/benchmark.csv"
	@echo "make study      trains by every estimator, into runs/study: days on a CPU"

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
	  tests/test_models.py tests/test_sweep.py tests/test_docstrings.py \
	  tests/test_unbiased.py \
	  -k "not test_unbiased or rebar- or relax- or lax- or leave_one_out_k2" \
	  $(ARGS)

lint: .venv/.installed-dev
	$(python) -m ruff format --check .
	$(python) -m ruff check .
	$(python) -m mypy

benchmark: .venv/.installed-plot
	mkdir -p runs
	$(python) bin/benchmark.py --out=runs/benchmark.csv $(ARGS)

# Estimator:samples, by their evaluations of f: 1; 2; 3; 4. Each is a sweep of
# each file of bin/configs/study, without a warm-up of the KL term and with one.
# One that was stopped goes on where it was.
METHODS ?= nvil:0 \
  leave_one_out:2 disarm:2 double_cv:2 muprop:0 rebar:0 relax:0 \
  leave_one_out:3 arms:3 double_cv:3 rodeo:3 \
  leave_one_out:4 disarm:4 arms:4 double_cv:4 relax_k:2 relax_disarm:2
WARMUPS ?= 0 10 20 40
CELLS ?= $(basename $(notdir $(wildcard bin/configs/study/*.txt)))

study: .venv/.installed-plot
	set -e; for cell in $(CELLS); do for warmup in $(WARMUPS); do \
	  for method in $(METHODS); do $(python) bin/sweep.py \
	    --flagfile=bin/configs/study/$$cell.txt --seed=0,1,2 \
	    --estimator=$${method%:*} --num_samples=$${method#*:} \
	    --kl_warmup_epochs=$$warmup --learning_rate=.0003,.0005,.001 \
	    --out=runs/study/$${cell}_$${method%:*}_$${method#*:}_w$$warmup \
	    $(ARGS); done; done; done
	$(python) bin/figures.py --results=runs --out=runs/figures --figure=study

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
