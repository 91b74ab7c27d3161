# Every target sets up .venv by itself; nothing but Python 3.11, 3.12 or 3.13 and make is needed.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
PEERS := benchmarks/.venv-peers

# What bench-check runs, under 3 minutes together on 2 cores. A benchmark with a --quick form of at most
# 40 s is added here.
QUICK := fit_overhead mirrored gan_step recurrent many_variables epoch_gap evaluation first_step
BENCHMARKS := fit_overhead mirrored gan_step recurrent many_variables conv_net pretrained \
	text_pipeline image_pipeline feature_cache object_detection streams epoch_gap evaluation growth job_growth memory first_step step_profile wandb_cost scaling checkpoint_stall

NOTEBOOKS ?= classify_images fine_tune forecast own_gan

export TF_CPP_MIN_LOG_LEVEL ?= 3
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.PHONY: help demo test test-oldest test-newest check docs notebooks bench bench-check bench-peers bench-jobs

help:
	@echo "make demo    train a classifier on real images and write curves and images to disk"
	@echo "make test    run the tests"
	@echo "make test-oldest   the same with the oldest versions that pyproject.toml allows; test-newest: the newest"
	@echo "make check   ruff, mypy --strict, import contracts"
	@echo "make docs    the documentation as pages in site/"
	@echo "make notebooks   run the notebooks and write their pages to docs/notebooks/"
	@echo "make bench   speed and memory against Keras fit and a bare loop; a run killed 100 times"
	@echo "make bench-check   the short benchmarks in their quick form; fails where a ratio is broken"
	@echo "make bench-jobs   whole jobs, from a process' start to its last byte on disk, beside Keras, Lightning, scikit-learn"
	@echo "make bench-peers   an environment with PyTorch and Lightning, and the benchmarks beside them"
	@echo "Another interpreter: make PYTHON=python3.12 test"

demo: $(READY)
	$(RUN) scripts/image_classification.py

# A file's tests stay in one process, where they share fixtures; each process takes some 3 GB.
test: $(READY)
	$(RUN) -m pytest -q -n logical --maxprocesses 4 --dist loadfile $(ARGS)

# Environments of their own, made anew, as what is newest changes by the day; versions.txt in each says which they are.
test-oldest: SET := -c constraints-oldest.txt
test-oldest test-newest:
	$(PYTHON) -m venv --clear .venv-$(@:test-%=%)
	.venv-$(@:test-%=%)/bin/python -m pip install --quiet --upgrade pip
	.venv-$(@:test-%=%)/bin/python -m pip install --quiet -e '.[test]' $(SET)
	.venv-$(@:test-%=%)/bin/python -m pip freeze --exclude-editable > .venv-$(@:test-%=%)/versions.txt
	.venv-$(@:test-%=%)/bin/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile $(ARGS)

check: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy lightning_tf
	$(VENV)/bin/lint-imports

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

# MPLBACKEND would take Jupyter's own from it. The pages are kept: the documentation is built without running them.
notebooks: $(READY)
	@for name in $(NOTEBOOKS); do \
	  echo "scripts/notebooks/$$name.py" && folder=$$(mktemp -d) && \
	  env -u MPLBACKEND PYTHONPATH=$(CURDIR) $(VENV)/bin/jupytext --quiet --to ipynb --set-kernel python3 --execute --run-path $$folder \
	    --output $$folder/$$name.ipynb scripts/notebooks/$$name.py && \
	  rm -rf docs/notebooks/$${name}_files && \
	  $(RUN) -m nbconvert --log-level WARN --to markdown --output-dir docs/notebooks $$folder/$$name.ipynb \
	    --TagRemovePreprocessor.enabled=True --TagRemovePreprocessor.remove_all_outputs_tags=remove-output && \
	  rm -r $$folder || exit 1; \
	done

bench: $(READY)
	for name in $(BENCHMARKS); do $(RUN) benchmarks/$$name.py || exit 1; done
	$(RUN) benchmarks/kill_test.py
	$(RUN) benchmarks/kill_test.py --task two_optimizers --kills 20

# All of them run, also behind one that failed.
bench-check: $(READY)
	@broken=; for name in $(QUICK); do \
	  $(RUN) benchmarks/$$name.py --quick --check || broken="$$broken $$name"; \
	done; \
	if [ -n "$$broken" ]; then echo "Broken:$$broken"; exit 1; fi

# Lightning's rows are left out where bench-peers was never made. LIGHTNING_TF_DATA names the real data.
bench-jobs: $(READY)
	$(RUN) benchmarks/whole_jobs.py $(ARGS)

bench-peers: $(READY) $(PEERS)/.ready
	$(RUN) benchmarks/fit_overhead.py
	$(RUN) benchmarks/recurrent.py
	$(RUN) benchmarks/conv_net.py
	$(RUN) benchmarks/object_detection.py

$(PEERS)/.ready: benchmarks/peers-requirements.txt | $(READY)
	@echo "Installing into $(PEERS) (PyTorch and Lightning, 1 GB on disk or more)"
	@$(RUN) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers-requirements.txt
	@touch $@

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
