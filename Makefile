# Each target installs what it needs. You need Python 3.11 to 3.13 with venv and headers, make and a
# C compiler; envs/check.sh names what is missing.
#   make demo    the whole workflow on simulated images: tables, figures, HTML report
#   make test    lint and tests
#   make test-all   the same with the slow tests: faults on Slurm, the poster, a full disk, deepcell's own tests, 1,000 mutated files of every kind
#   make setup   installs or updates the environment in .venv (VARIANT=gpu: TensorFlow with CUDA)
#   make detectors   torch, torchvision, timm, cellpose and segment-anything on top of .venv, for instance detectors and families cellpose, cellpose-sam (make test adds them if missing)
#   make bench   compares the speed of each stage with the usual package, and measures the cost of a run
#   make side-by-side   deepcell's network next to ours: scores, speed, memory (some 25 minutes)
#   make starter   trains the starter network again from nothing (an hour) and puts it where it is shipped
#   make plan    jobs, disk space and training hours of config.yaml's study (STEP_MS=120: ms a step)
#   make progress   runs of config.yaml's study: done, running, failed, time left (this, the plan and the report need an existing environment)
#   make report     its HTML report; for another study: make report CONFIG=mine.yaml (also plan and progress)
#   make docs    the documentation as a site, in site/
#   make lint    ruff, snakefmt and the Snakemake linter
#   make lock    new lock files and conda environments from pyproject.toml

# Make never changes an existing environment, since jobs may be running in it. `make setup` replaces it.
THERE := $(patsubst .venv/ready-%,%,$(firstword $(wildcard .venv/ready-*)))
VARIANT ?= $(or $(THERE),cpu)
CORES ?= 2
CONFIG ?=
PYTHON ?=

BIN := .venv/bin
ALIVE := sh envs/alive.sh
READY := .venv/ready-$(VARIANT)
# Not ready-*, which names the variant; `make setup` clears .venv, and this mark with it.
DETECTORS := .venv/detectors-ready
LOCKS := envs/$(VARIANT).lock envs/build.lock
STARTER := results/varied/runs/starter/flows+fgbg/full/seed-0/export.zip
DEMO := --configfile workflow/studies/demo.yaml --replace-workflow-config
STUDY := $(if $(CONFIG),--configfile $(CONFIG) --replace-workflow-config)

# uv, Snakemake and others cache in the home folder, or in .venv if the home is read-only.
NO_CACHE := $(shell at="$${XDG_CACHE_HOME:-$${HOME:+$$HOME/.cache}}"; \
  test -n "$$at" && mkdir -p "$$at" 2> /dev/null && test -w "$$at" || echo yes)
ifneq ($(NO_CACHE),)
export XDG_CACHE_HOME := $(CURDIR)/.venv/cache
export MPLCONFIGDIR := $(CURDIR)/.venv/cache/matplotlib
endif

.PHONY: demo test test-all setup detectors lint lock bench side-by-side starter plan progress report docs environment used
.DELETE_ON_ERROR:

demo: environment
	@echo "Running the study workflow/studies/demo.yaml on $(CORES) cores."
	@$(BIN)/snakemake --cores $(CORES) --set-threads train=1 predict=1 predict_validation=1 predict_shown=1 tune=1 segment=1 score=1 rasterize=1 $(DEMO) all
	@$(ALIVE) "Writing the report" $(BIN)/python scripts/report.py $(DEMO)
	@$(BIN)/python scripts/print_summary.py results/simulated

# One more than cores: a test that waits for Slurm or for a killed process leaves its core to another.
TESTERS = $(shell expr $(CORES) + 1)

test: lint detectors
	PYTHONPATH=scripts $(BIN)/python tests/compile_kernels.py
	$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder

test-all: lint detectors
	PYTHONPATH=scripts $(BIN)/python tests/compile_kernels.py
	$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder -m ""

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

bench: environment
	PYTHONPATH=scripts $(BIN)/python tests/bench.py
	PYTHONPATH=scripts $(BIN)/python tests/bench_run.py

side-by-side: environment
	$(BIN)/snakemake --cores $(CORES) --set-threads train=2 predict=2 predict_shown=1 segment=1 score=1 rasterize=1 \
	  --configfile workflow/studies/side-by-side.yaml --replace-workflow-config all
	PYTHONPATH=scripts $(BIN)/python tests/side_by_side.py results/simulated

# MINI=FOLDER: livecell-mini, whose scores then are on the card.
starter: environment
	$(BIN)/snakemake --cores $(CORES) --configfile workflow/studies/starter.yaml --replace-workflow-config $(STARTER)
	$(BIN)/python scripts/ship_starter.py $(STARTER) $(MINI)

# STEP_MS=120, or STEP_MS='resnet50=120 unet=40': milliseconds of a training step, used if none is measured.
plan: used
	@$(BIN)/python scripts/plan.py $(STUDY) $(if $(STEP_MS),--step-ms $(STEP_MS))

progress: used
	@$(BIN)/python scripts/progress.py $(STUDY)

# TO=results/livecell/report.zip: pictures as separate files, if one page would be too large.
report: used
	@$(ALIVE) "Writing the report" $(BIN)/python scripts/report.py $(STUDY) $(if $(TO),--to $(TO))

docs: environment
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --config-file docs/mkdocs/mkdocs.yml
	@echo "Open site/index.html"

setup: $(READY)

environment: $(if $(THERE),used,$(READY))

used:
	@test -e $(READY) || { echo "$(if $(THERE),.venv is the environment of VARIANT=$(THERE). Once nothing runs in it replace it:,There is no environment in .venv. Set it up:) make setup VARIANT=$(VARIANT)" >&2; exit 1; }
	@test -z "$$(find $(LOCKS) -newer $(READY))" || echo "The locks are newer than .venv. Once nothing runs in it bring it up to date: make setup" >&2

# pip installs uv and the build requirements of deepcell-toolbox. uv then installs the lock.
$(READY): $(LOCKS)
	@python=$$(sh envs/check.sh "$(PYTHON)") || exit 1; \
	echo "Setting up .venv with $$python: 3.3 GB of disk, 0.7 GB to download unless uv has it."; \
	$(ALIVE) "Making .venv" "$$python" -m venv --clear .venv
	@$(ALIVE) "Installing the installer" $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement envs/build.lock
	@$(ALIVE) "Installing the packages of $<" $(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes envs/$(VARIANT).lock
	touch $@

detectors: $(DETECTORS)

# The only thing that is added to an existing environment; the lock changes no version of the others.
$(DETECTORS): envs/detectors.lock | environment
	@$(ALIVE) "Installing the packages of $<" $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirement $<
	touch $@

LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
# The conda environments have no packages that only tests use.
CONDA := uv pip compile pyproject.toml --quiet --python-version 3.12 --python-platform x86_64-manylinux_2_28 --no-emit-index-url --no-annotate --no-header
lock: environment
	echo "tensorflow==2.21.0 ; sys_platform != 'linux'" > .venv/override.txt
	$(BIN)/$(LOCK) --extra cpu --extra dev --override .venv/override.txt --output-file envs/cpu.lock
	$(BIN)/$(LOCK) --extra gpu --extra dev --output-file envs/gpu.lock
	$(BIN)/$(LOCK) --extra workflow --constraint envs/cpu.lock --output-file envs/analysis.lock
	$(BIN)/$(LOCK) --extra detectors --constraint envs/cpu.lock --constraint envs/gpu.lock --output-file envs/detectors.lock
	awk '/^[a-z]/ {keep = /^(cython|numpy|setuptools|uv)==/} keep' envs/cpu.lock > envs/build.lock
	$(BIN)/$(CONDA) --extra cpu --constraint envs/cpu.lock --override .venv/override.txt --output-file .venv/train-cpu.txt
	$(BIN)/$(CONDA) --extra gpu --constraint envs/gpu.lock --output-file .venv/train-gpu.txt
	$(BIN)/$(CONDA) --extra torch --constraint envs/cpu.lock --constraint envs/detectors.lock --output-file .venv/train-torch.txt
	$(BIN)/python envs/render.py
