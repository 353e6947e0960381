# Everything runs in .venv, made from PYTHON with exactly the files whose hashes the locks name.
PYTHON ?= python3
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
DATA := .order-entry
# Keeps the versions that are locked; make lock UPGRADE=--upgrade, or UPGRADE="-P urllib3", takes newer ones.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help install install-amqp10 demo run check test test-browser screenshots test-long test-all chaos bench reference lock clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 20

install: .venv/.installed ## make .venv with what the service needs

install-amqp10: .venv/.installed-amqp10 ## the optional package for AMQP 1.0, compiled: IBM MQ needs it

demo: .venv/.installed ## 1,000 sample orders through the whole service, then a table; ends by itself
	@$(MANAGE) demo

run: .venv/.installed ## the same, kept up with a trickle of orders, API and console, until Ctrl-C
	@$(MANAGE) run

check: .venv/.installed-dev ## lint, types, import layers, known vulnerabilities, migrations, deployment
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python .ci/lint_comparisons.py
	$(BIN)/python .ci/lint_security.py
	$(BIN)/python .ci/audit_packages.py
	$(BIN)/python .ci/lint_deployment.py
	$(BIN)/python .ci/write_reference.py --check
	$(BIN)/python -m order_entry_project.embedded $(MANAGE) makemigrations --check --dry-run
	$(BIN)/python -m order_entry_project.embedded $(BIN)/python .ci/lint_migrations.py
	ORDER_ENTRY_CONFIG=deploy/order-entry.example.yaml \
	ORDER_ENTRY__SAFEGUARD__SQL_API_KEY=checked-for-being-there \
	ORDER_ENTRY__IDEMPOTENCY__TOKEN_KEYS='{"check": "only parsed, signs and opens nothing"}' \
	ORDER_ENTRY__API__SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	$(MANAGE) check --deploy --fail-level WARNING

test: .venv/.installed-dev ## the everyday tests, on real servers, under 5 minutes
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not long and not browser"

test-browser: .venv/.installed-dev ## the console in Chromium: an operator's day, by keyboard too, and how it looks
	$(BIN)/python -m pytest -n 2 --dist loadscope -m browser tests/browser

screenshots: .venv/.installed-dev ## the pictures of docs/console.md, taken anew
	$(BIN)/python -m pytest tests/browser/test_looks.py -k picture --pictures=docs/images

test-long: .venv/.installed-dev .venv/.installed-bench ## the tests that take longer
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long

test-all: .venv/.installed-dev .venv/.installed-bench ## all tests, under 30 minutes
	$(BIN)/python -m pytest -n 2 --dist worksteal

chaos: .venv/.installed-dev ## 20,000 orders while everything around three workers fails; SEED=… repeats a run, AMQP10=1 speaks 1.0
	$(BIN)/python -m pytest tests/chaos -k long_chaos --log-cli-level=INFO $(if $(SEED),--chaos-seed=$(SEED)) $(if $(AMQP10),--chaos-amqp10)

reference: .venv/.installed-dev ## docs/configuration.md and docs/api.md, from the code
	$(BIN)/python .ci/write_reference.py

# ONLY=latency, JSON=result.json, BENCH="--help" and so on: benchmarks/order_path/options.py has them all.
bench: .venv/.installed-bench ## this service beside a bare floor and FastStream; a quarter of an hour on a quiet machine
	$(BIN)/python -m benchmarks.order_path $(foreach option,ROUNDS ORDERS ONLY BOOK MEMORY JSON,\
	$(if $($(option)),--$(shell echo $(option) | tr A-Z a-z) $($(option)))) $(BENCH)

lock: .venv/.installed-dev ## after a change in requirements*.txt: versions and hashes of all they bring along
	$(LOCK) requirements.txt -o requirements.lock
	$(LOCK) -c requirements.lock requirements-dev.txt -o requirements-dev.lock
	$(LOCK) -c requirements.lock requirements-amqp10.txt -o requirements-amqp10.lock
	$(LOCK) -c requirements.lock benchmarks/requirements.txt -o benchmarks/requirements.lock

clean: ## remove the data of demo and run, and caches; .venv stays
	@if [ -d $(DATA) ]; then flock --nonblock $(DATA)/postgresql.lock rm -rf $(DATA) \
	|| { echo "$(DATA) is in use by make demo or make run: stop that first." >&2; exit 1; }; fi
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis .coverage*

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "$(PYTHON) must be Python 3.11 or later: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	|| { echo "$(PYTHON) has no venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.installed: requirements.lock | $(BIN)/pip
	@echo "Installing the packages of requirements.txt into .venv ..."
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

.venv/.installed-amqp10: requirements-amqp10.lock | .venv/.installed
	@command -v gcc >/dev/null && $(BIN)/python -c 'import pathlib, sysconfig, sys; \
	sys.exit(not pathlib.Path(sysconfig.get_paths()["include"], "Python.h").exists())' \
	|| { echo "It is compiled, and needs a compiler and Python's headers (Debian: apt-get install gcc libc6-dev python3-dev)" >&2; exit 1; }
	@echo "Compiling the packages of requirements-amqp10.txt into .venv ..."
	@$(PIP) --require-hashes -r requirements-amqp10.lock
	@touch $@

.venv/.installed-dev: requirements-dev.lock | $(BIN)/pip
	@echo "Installing the packages of requirements-dev.txt into .venv ..."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch .venv/.installed $@

.venv/.installed-bench: benchmarks/requirements.lock | $(BIN)/pip
	@echo "Installing the packages of benchmarks/requirements.txt into .venv ..."
	@$(PIP) --require-hashes -r benchmarks/requirements.lock
	@touch .venv/.installed $@
