# Every target makes the virtual environment it needs. Python 3.11+, make and the package registries suffice.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

# What your nodes import, if anything: installed here, and shipped with the functions.
YOURS := $(wildcard workflows/requirements.txt)

LINTED := engine dispatcher workflows local cli infra tests benchmarks docs app.py

# The CDK's command line, pinned: it must be able to read what our aws-cdk-lib writes. Say more by CDK_ARGS,
# such as CDK_ARGS='-c refluxo:stage=prod'.
CDK := PATH="$(CURDIR)/$(BIN):$$PATH" CDK_DISABLE_VERSION_CHECK=1 CDK_DISABLE_CLI_TELEMETRY=true \
	npx --yes --prefer-offline aws-cdk@2.1148.1 --no-notices

.DEFAULT_GOAL := help
.PHONY: help demo local test check lint types contracts package synth bootstrap diff deploy bench soak clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/local.stamp  ## watch five workflows run start to end on this machine
	@$(BIN)/refluxo demo --port $(or $(PORT),0)

local: $(VENV)/local.stamp  ## the whole product on this machine, until Ctrl-C (LOCAL_ARGS='--data .refluxo')
	@$(BIN)/refluxo local --port $(or $(PORT),8080) $(LOCAL_ARGS)

# The tests run the package as it is built for this machine, too.
test: package  ## the tests
	@$(BIN)/python -m infra.package --host
	$(BIN)/pytest -n 2

check: lint types contracts synth test  ## everything CI runs

lint: $(VENV)/dev.stamp  ## format and style
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/ruff check $(LINTED)

types: $(VENV)/dev.stamp  ## strict types
	$(BIN)/mypy $(LINTED)

contracts: $(VENV)/dev.stamp  ## which room may import which
	$(BIN)/lint-imports --no-cache

package: $(VENV)/dev.stamp  ## what the functions ship, in build/package
	@$(BIN)/python -m infra.package

synth: package  ## the CloudFormation template, in cdk.out
	@$(BIN)/python app.py
	@$(BIN)/cfn-lint -i W3005 -- cdk.out/*.template.json
	@ls cdk.out/*.template.json

bootstrap: package  ## once for each account and region, before the first deploy
	@$(CDK) bootstrap $(CDK_ARGS)

diff: package  ## what a deployment would change
	@$(CDK) diff $(CDK_ARGS)

deploy: package  ## the stack, into the account of your AWS credentials
	@$(CDK) deploy $(CDK_ARGS)

soak: $(VENV)/dev.stamp  ## the simulator for as long as you like: make soak SEEDS=1000000
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),100000) --start $(or $(START),0) --jobs $(or $(JOBS),2)

bench: $(VENV)/dev.stamp  ## speed, as ratios within one run
	@for bench in benchmarks/bench_*.py; do $(BIN)/python $$bench || exit 1; done

clean:  ## remove everything that was made
	rm -rf $(VENV) build cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON); install Python 3.11 or later, or say PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $$($(PYTHON) --version) is too old; Python 3.11 or later is needed (PYTHON=/path/to/python3.11)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: this Python has no venv; install it (on Debian: apt-get install python3-venv)"; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/local.stamp: pyproject.toml constraints.txt $(YOURS) | $(VENV)/bin/python
	@echo "installing what the local stack needs (once, a minute or two)"
	@$(PIP) --editable '.[local]' $(YOURS:%=--requirement %)
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt $(YOURS) | $(VENV)/bin/python
	@echo "installing what development needs (once, two minutes or three)"
	@$(PIP) --editable '.[dev]' $(YOURS:%=--requirement %)
	@touch $@ $(VENV)/local.stamp
