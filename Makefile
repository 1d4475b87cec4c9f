# `make demo` and `make test` set up everything they need on a fresh machine (Debian, Python 3.11 or newer, pip).
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# Tests of the whole house, of sound in its own time, and what shares the machine with nothing.
WHOLE := tests/system/program
HEARING := tests/system/fingerprints
ALONE := tests/system/bench tests/system/fingerprints/test_hour_of_icecast.py

.PHONY: help
help:  ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

.PHONY: demo
demo: .venv/runtime.stamp  ## Run the whole job on this machine: sound, scoreboard, tweets, live page
	@$(BIN)/cuebird demo $(ARGS)

.PHONY: gateway
gateway: .venv/gateway.stamp  ## Install what cuebird gateway needs and no more, on a small computer beside a console

.PHONY: test
test: .venv/dev.stamp debian-packages  ## Check style, types and layers, then run every test
	@$(MAKE) --no-print-directory lint
	@echo "── tests on every core" && $(BIN)/pytest -n auto -m "not system" $(ARGS) || [ $$? -eq 5 ]
	@echo "── tests with real servers, three kinds side by side" && deploy/side-by-side.sh \
		'$(BIN)/pytest -m system $(addprefix --ignore=,$(WHOLE) $(HEARING) $(ALONE)) $(ARGS)' \
		'$(BIN)/pytest $(WHOLE) $(ARGS)' '$(BIN)/pytest $(HEARING) $(addprefix --ignore=,$(ALONE)) $(ARGS)'
	@echo "── tests that need the machine for themselves" && $(BIN)/pytest $(ALONE) $(ARGS) || [ $$? -eq 5 ]

.PHONY: check
check: .venv/dev.stamp  ## The quick loop: style, types, layers and the fast tests
	@$(BIN)/ruff format .
	@$(MAKE) --no-print-directory lint
	@$(BIN)/pytest -q -n auto -m "not system" $(ARGS) || [ $$? -eq 5 ]

.PHONY: lint
lint: .venv/dev.stamp
	@echo "── style"  && $(BIN)/ruff format --check . && $(BIN)/ruff check .
	@echo "── types"  && $(BIN)/mypy
	@echo "── layers" && $(BIN)/lint-imports

.PHONY: debian-packages
debian-packages:
	@deploy/debian-packages.sh mosquitto postgresql chromium ffmpeg icecast2 rtsp-server-perl

.PHONY: lock
lock: .venv/dev.stamp  ## Pin every dependency again, with hashes and without addresses
	@deploy/lock.sh

.PHONY: clean
clean:  ## Remove the environment, caches and the demonstration's state
	@rm -rf .venv var build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/%.stamp: requirements/%.lock pyproject.toml deploy/environment.sh
	@PYTHON="$(PYTHON)" deploy/environment.sh $*
