# Everything runs in a virtual environment of the project's own; nothing needs root,
# except the system packages of the tests, which are installed only where that is possible.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test check bench format clean

help:
	@echo "make demo   set everything up, run real jobs, keep serving (ARGS=--exit stops at the end)"
	@echo "make test   set up what the tests need and run them all, checks included"
	@echo "make check  formatter, linter, types, import rules"
	@echo "make bench  measure, as ratios against floors taken in the same run"

demo: $(VENV)/demo.done
	@$(BIN)/milepost demo $(ARGS)

test: check
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

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo-data
