# Every target sets up .venv by itself; nothing but Python 3.11, 3.12 or 3.13 and make is needed.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

export TF_CPP_MIN_LOG_LEVEL ?= 3
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.PHONY: help demo test check docs bench

help:
	@echo "make demo    train a classifier on real pictures and write curves and pictures to disk"
	@echo "make test    run the tests"
	@echo "make check   ruff, mypy --strict, import contracts"
	@echo "make docs    the documentation as pages in site/"
	@echo "make bench   speed and memory against Keras fit and a bare loop; a run killed 100 times"
	@echo "Another interpreter: make PYTHON=python3.12 test"

demo: $(READY)
	$(RUN) scripts/image_classification.py

# A file's tests stay in one process, where they share fixtures; each process takes some 3 GB.
test: $(READY)
	$(RUN) -m pytest -q -n logical --maxprocesses 4 --dist loadfile $(ARGS)

check: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy lightning_tf
	$(VENV)/bin/lint-imports

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

bench: $(READY)
	$(RUN) benchmarks/fit_overhead.py
	$(RUN) benchmarks/conv_net.py
	$(RUN) benchmarks/feature_cache.py
	$(RUN) benchmarks/pretrained.py
	$(RUN) benchmarks/text_pipeline.py
	$(RUN) benchmarks/picture_pipeline.py
	$(RUN) benchmarks/memory.py
	$(RUN) benchmarks/first_step.py
	$(RUN) benchmarks/wandb_cost.py
	$(RUN) benchmarks/scaling.py
	$(RUN) benchmarks/checkpoint_stall.py
	$(RUN) benchmarks/kill_test.py
	$(RUN) benchmarks/kill_test.py --task two_optimizers --kills 20

# A .venv without pip is what an interpreter without ensurepip left behind: it is made anew.
$(READY): pyproject.toml constraints.txt
	@if ! $(RUN) -m pip --version >/dev/null 2>&1; then \
	  command -v $(PYTHON) >/dev/null || { \
	    echo "There is no $(PYTHON). Install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3.12"; exit 1; }; \
	  $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	    echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); TensorFlow needs Python 3.11, 3.12 or 3.13. Name one: make PYTHON=python3.12"; exit 1; }; \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }; \
	  $(PYTHON) -m venv --clear $(VENV); \
	fi
	@echo "Installing into $(VENV) (TensorFlow and friends, 3 GB on disk; some minutes the first time)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $(READY)
