# Riel: `make run` to see it work, `make check` before a commit. `make help` lists the rest.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help run test check lint types synth docs fuzz simulate benchmark lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

run: $(READY) ## Start Riel on port 8000 (or PORT=9000) with a demo
	@exec $(BIN)/riel up --port $(PORT)

test: $(READY) ## Run the tests
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadgroup $(ARGS)

check: lint types test synth ## Run all that CI runs

lint: $(READY) ## Check format, style, and that the API's documentation is up to date
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/python -m functions.api.openapi --check

types: $(READY) ## Check types
	$(BIN)/mypy

synth: $(READY) ## Synthesize every stage, checked by cdk-nag
	$(BIN)/python -m infra.synthesis local dev prod

docs: $(READY) ## Renew the API's documentation page and openapi.json from the code
	$(BIN)/python -m functions.api.openapi

fuzz: $(READY) ## Try far more hostile inputs than `check` does (FUZZ=10 times as many)
	RIEL_FUZZ=$(or $(FUZZ),10) $(BIN)/pytest -q -p no:xdist --timeout 3600 --show-capture=no \
	  tests/integration/test_fuzz.py tests/integration/test_contract.py

simulate: $(READY) ## Break every call of every scenario in every way, try SEEDS=1000 seeds (5 minutes)
	$(BIN)/riel simulate --exhaustive --seeds $(or $(SEEDS),1000)

benchmark: $(READY) ## Measure cold start and hot path under Lambda's runtime interface
	$(BIN)/python -m tests.load.benchmark

# The environment is made once; after that this costs one comparison of times.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Riel needs Python 3.11 or newer; $(PYTHON) is missing or older. Try: make PYTHON=python3.12"; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || \
	  { echo "Riel needs Node.js 20 or newer on the PATH (the AWS CDK runs on it)."; exit 1; }
	@echo "Setting up .venv from the locked requirements (once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^uv==/ {on=1} on {print} on && !/\\$$/ {exit}' requirements.txt > .venv/uv.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --require-hashes requirements.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

lock: $(READY) ## Renew the hashed locks
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --group operate --group test pyproject.toml -o requirements.txt
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet \
	  --python-version 3.13 --python-platform aarch64-manylinux2014 --generate-hashes \
	  --no-emit-index-url layers/dependencies/requirements.in -o layers/dependencies/requirements.txt
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --no-deps \
	  --python-version 3.13 --generate-hashes --no-emit-index-url \
	  tests/load/requirements.in -o tests/load/requirements.txt

clean: ## Remove everything that was built or downloaded
	rm -rf .venv .build .riel cdk.out node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
