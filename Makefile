# Muster's commands for people. `make demo` and `make test` work on a fresh Debian 12 with Swift 6.3 and nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LIBRARIES := libsqlite3-dev libzstd-dev zlib1g-dev pkg-config
TEST_TOOLS := python3 python3-venv chromium
# Arguments of `muster demo`, for example: make demo ARGUMENTS="--port 8800"
ARGUMENTS ?=
SCRATCH ?= .build

.PHONY: help demo test build unit-tests e2e-tests crash-test lint format clean-demo

help: ## Say what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/make \1\t\2/' | awk -F'\t' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: ## Build, start Muster and the Braze sandbox with a demo shop in ./demo-data
	@scripts/ensure-packages.sh $(LIBRARIES)
	swift build --scratch-path $(SCRATCH) -c release --product muster
	exec $(SCRATCH)/release/muster demo $(ARGUMENTS)

test: ## Build and run all tests
	@scripts/ensure-packages.sh $(LIBRARIES) $(TEST_TOOLS)
	@scripts/python-env.sh
	swift build --scratch-path $(SCRATCH) --build-tests
	$(MAKE) --no-print-directory unit-tests e2e-tests

unit-tests: ## Run the Swift tests (built before)
	swift test --scratch-path $(SCRATCH) --skip-build

e2e-tests: ## Run the tests that drive the real binary (built before)
	MUSTER_BIN="$${MUSTER_BIN:-$(abspath $(SCRATCH))/debug/muster}" .venv-tests/bin/python -m pytest Tests/e2e $(PYTEST)

crash-test: ## Kill the real binary under load 200 times in calm and 200 in stormy weather (built before; takes twelve minutes)
	MUSTER_LONG=1 MUSTER_BIN="$${MUSTER_BIN:-$(abspath $(SCRATCH))/release/muster}" .venv-tests/bin/python -m pytest Tests/e2e/test_crash.py -s $(PYTEST)

build: ## Build the release binary
	@scripts/ensure-packages.sh $(LIBRARIES)
	swift build --scratch-path $(SCRATCH) -c release --product muster

lint: ## Check the formatting
	swift format lint --strict -r Sources Tests Package.swift

format: ## Format the sources
	swift format -i -r Sources Tests Package.swift

clean-demo: ## Forget the demo's data
	rm -rf demo-data
