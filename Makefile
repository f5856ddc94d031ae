# Everything runs in a virtual environment of the project's own; nothing needs root,
# except the system packages of the tests, which are installed only where that is possible.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What tests/clients drives: the clients of other makers, in an environment that nothing else sees.
# Two of them, arcgis and @arcgis/core, have a licence that not everybody accepts: "make test CLIENTS=no" does without.
CLIENTS := yes
CLIENT_VENV := .venv-clients
CLIENT_MODULES := tests/clients/node_modules

# What else the tests speak with: a container registry, a browser, and other readers of videos and maps.
PEERS := apache2-utils chromium docker-registry ffmpeg gdal-bin poppler-utils qpdf

# One worker for each core, each with whole files of tests in the order of tests/conftest.py; one that dies ends the run, since its file would be lost.
WORKERS := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# Hundreds of servers are started by the tests: each would compile all modules for itself.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check bench format clean

help:
	@echo "make demo   set everything up, run real jobs, keep serving (ARGS=--exit stops at the end)"
	@echo "make test   set up what the tests need and run them all, checks included"
	@echo "make check  formatter, linter, types, import rules"
	@echo "make bench  measure, as ratios against floors taken in the same run"

demo: $(VENV)/demo.done
	@$(BIN)/milepost demo $(ARGS)

test: check $(if $(filter no,$(CLIENTS)),,$(CLIENT_VENV)/python.done $(CLIENT_VENV)/node.done)
	@sh scripts/install-packages $(PEERS)
	@$(BIN)/python -m pytest $(WORKERS) $(ARGS)

check: $(VENV)/dev.done
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/dev.done
	@$(BIN)/python -m benchmarks $(ARGS)

format: $(VENV)/dev.done
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

$(VENV)/pyvenv.cfg:
	@sh scripts/make-venv $(PYTHON) $(VENV)

$(VENV)/%.done: requirements/%.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing requirements/$*.txt into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# Only what is imported gets compiled, which is a small part.
$(CLIENT_VENV)/python.done: requirements/clients.txt scripts/make-venv
	@echo "Installing requirements/clients.txt into $(CLIENT_VENV) ..."
	@echo "(arcgis comes under Esri's Master Agreement; make test CLIENTS=no does without it)"
	@sh scripts/make-venv $(PYTHON) $(CLIENT_VENV)
	@$(CLIENT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		--only-binary :all: --no-compile -r requirements/clients.txt
	@touch $@

$(CLIENT_VENV)/node.done: tests/clients/package-lock.json tests/clients/install_node.py $(CLIENT_VENV)/python.done
	@echo "Installing tests/clients/package-lock.json into $(CLIENT_MODULES) ..."
	@echo "(@arcgis/core comes under the same agreement)"
	@$(CLIENT_VENV)/bin/python tests/clients/install_node.py
	@touch $@

clean:
	rm -rf $(VENV) $(CLIENT_VENV) $(CLIENT_MODULES) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo-data
