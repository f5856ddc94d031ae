# Everything runs in a virtual environment of the project's own; nothing needs root,
# except the system packages of the tests, which are installed only where that is possible.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What tests/clients drives: the clients of other makers, in an environment that nothing else sees.
CLIENTS := .venv-clients
NODE_CLIENTS := tests/clients/node_modules

.PHONY: help demo test check bench format clean

help:
	@echo "make demo   set everything up, run real jobs, keep serving (ARGS=--exit stops at the end)"
	@echo "make test   set up what the tests need and run them all, checks included"
	@echo "make check  formatter, linter, types, import rules"
	@echo "make bench  measure, as ratios against floors taken in the same run"

demo: $(VENV)/demo.done
	@$(BIN)/milepost demo $(ARGS)

test: check $(CLIENTS)/python.done $(CLIENTS)/node.done
	@$(BIN)/python -m pytest $(ARGS)

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
$(CLIENTS)/python.done: requirements/clients.txt scripts/make-venv
	@echo "Installing requirements/clients.txt into $(CLIENTS) ..."
	@sh scripts/make-venv $(PYTHON) $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		--only-binary :all: --no-compile -r requirements/clients.txt
	@touch $@

$(CLIENTS)/node.done: tests/clients/package-lock.json tests/clients/install_node.py $(CLIENTS)/python.done
	@echo "Installing tests/clients/package-lock.json into $(NODE_CLIENTS) ..."
	@$(CLIENTS)/bin/python tests/clients/install_node.py
	@touch $@

clean:
	rm -rf $(VENV) $(CLIENTS) $(NODE_CLIENTS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo-data
