# Every task of the project; `make help` lists them. `make setup` is a part of each that needs it.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DRILLS := tests/bench tests/chaos tests/drills $(addprefix tests/acceptance/,test_burst.py test_gpu.py test_mock.py)

.DEFAULT_GOAL := help
.PHONY: help setup demo up test drills hosts check bench release format schema lock clean

help:  ## List the tasks
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(STAMP)  ## Make the virtual environment with the locked requirements

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## Twelve photos in, portraits out, a machine killed in between (SEED=N: another user)
	$(BIN)/argosy demo --user-seed $(or $(SEED),0)

up: $(STAMP)  ## Start a whole fleet on this machine
	$(BIN)/argosy up

# Two workers; whole files go to the one or the other, in the order of tests/conftest.py.
test: $(STAMP)  ## Run all tests, two files at a time (ARGS="-k name" narrows, ARGS="-n 0": one at a time)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(addprefix --ignore ,tests/ansible $(DRILLS)) $(ARGS)

drills: $(STAMP)  ## Outages, a fail-over, a restore, schedules of faults, bursts, every part of the bench: what takes longer
	ARGOSY_TEST_SERVER=$(or $(ARGOSY_TEST_SERVER),embedded) $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(DRILLS)

hosts: $(STAMP)  ## Test the playbooks on machines that boot systemd, in containers (skipped where Docker does not run)
	$(BIN)/python -m pytest tests/ansible

check: $(STAMP)  ## Lint, types, architecture, playbooks, schema snapshot
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd ansible && PATH="$(abspath $(BIN)):$$PATH" ansible-lint -q --offline --profile production
	$(BIN)/python -m tests.migrations.snapshot --check

bench: $(STAMP)  ## Measure everything, 48 minutes on two cores (QUICK=1: 10; PARTS="drain flat": only these); bench/results/README.md
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(PARTS)

release: $(STAMP)  ## Build wheel and sdist into dist/, and run the demo from a clean environment that has the wheel alone
	rm -rf dist build/release
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(PYTHON) -m venv build/release
	build/release/bin/pip install --quiet --constraint requirements/dev.txt "argosy[all] @ file://$$(echo $(CURDIR)/dist/*.whl)"
	mkdir build/release/empty && cd build/release/empty && env -u PYTHONPATH ../bin/argosy demo --user-seed $(or $(SEED),0)
	@ls -l dist

format: $(STAMP)  ## Put the code into its usual form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP)  ## Write tests/migrations/schema.sql anew, after a change of the contract
	$(BIN)/python -m tests.migrations.snapshot --write

lock:  ## Write requirements/ anew from pyproject.toml
	mkdir -p requirements
	for extra in dev server agent; do \
	  $(BIN)/pip-compile --quiet --extra $$extra --strip-extras --allow-unsafe --no-header --annotation-style=line \
	    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	    $$([ $$extra = dev ] || echo --constraint requirements/dev.txt) \
	    --output-file requirements/$$extra.txt pyproject.toml || exit 1; \
	  sed -i -e 's/+cpu//' -e '/^argosy @ file:/d' requirements/$$extra.txt; \
	done

clean:  ## Remove what was built or started here (not the virtual environment)
	rm -rf demo-out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
