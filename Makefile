# make        format, lint, types, import arrows, unit tests: under a minute
# make test   everything that CI runs;  make demo  the main job on real files
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CODE   := api_shim embedded_zone python_rules workers tests
ZONE   ?=

.DEFAULT_GOAL := check
.PHONY: docs check setup lint format types arrows unit test test-long test-zone bench demo up clean

check: lint types arrows unit

setup: $(VENV)/installed

# One virtual environment, from pinned and hashed requirements; the sources stay editable in place.
$(VENV)/installed: requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sluice needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv --upgrade-deps $(VENV) 2>/dev/null || $(PYTHON) -m venv $(VENV) || sh tests/install-venv-module.sh $(PYTHON) $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable . >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $@

lint: setup
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)

format: setup
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

types: setup
	$(BIN)/mypy embedded_zone python_rules api_shim workers

arrows: setup
	$(BIN)/lint-imports --no-cache

unit: setup
	$(BIN)/pytest -q tests/unit

test: setup
	sh tests/install-debian-packages.sh
	$(MAKE) lint types arrows
	$(BIN)/pytest -m "not long" -n 2 --dist loadfile tests

test-long: setup
	sh tests/install-debian-packages.sh long
	$(BIN)/pytest -m long tests

# The end-to-end tests on an existing zone: make test-zone ZONE=path/of/irods_environment.json (an administrator's)
test-zone: setup
	SLUICE_TEST_ZONE=$(ZONE) $(BIN)/pytest tests/e2e

# The generated pages; tests say when one is not current. python -m tests.peers.prc_suite writes docs/peers.
docs: setup
	$(BIN)/python -m embedded_zone genpage >docs/zone/supported.md
	$(BIN)/python -m tests.zone.hook_matrix
	$(BIN)/python -m tests.unit.engine.peers
	$(BIN)/python -m tests.unit.engine.damage

bench: setup
	sh tests/install-debian-packages.sh long
	$(BIN)/python -m tests.benchmarks

demo: setup
	@$(BIN)/python -m tests.stack.demo

up: setup
	@$(BIN)/python -m tests.stack.up

clean:
	rm -rf $(VENV) .demo .up build *.egg-info
