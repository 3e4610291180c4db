# Everything a developer does here. Needs Python 3.11+ and make; all else is installed into .venv from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Spark is large and the same for every checkout, so it is kept in the home folder.
SPARK_DIR ?= $(HOME)/.cache/autoloader/spark
SPARK_CLIENT := $(VENV)/.installed-spark
SPARK_SERVER := $(SPARK_DIR)/.installed-$(shell cat spark/server.lock spark/pom.xml | cksum | cut -d ' ' -f 1)
PATIENT := --quiet --disable-pip-version-check --timeout 120 --retries 10
WATCHED := $(if $(COVERAGE),--cov --cov-report=term)
SPARK_CAN := $(and $(shell command -v java),$(shell command -v mvn))

.DEFAULT_GOAL := help
.PHONY: help setup spark demo test search chaos crowd soak check format bench docs pictures lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The locks are complete: nothing is left for pip to resolve. When it may look, it looks at releases that are not locked.
setup: $(STAMP) ## Install the locked dependencies and the package into .venv

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 setup"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

spark: $(SPARK_CLIENT) $(SPARK_SERVER) ## Spark Connect for `autoloader up --spark`; needs Java 17 and Maven

$(SPARK_CLIENT): $(STAMP) requirements-spark.lock
	$(BIN)/python -m pip install $(PATIENT) --require-hashes --no-deps --requirement requirements-spark.lock
	@touch $@

# Some 600 MB, fetched once. Two checkouts that want it at the same time: the second waits, and finds it there.
$(SPARK_SERVER): $(STAMP)
	@test -n "$(SPARK_CAN)" || { echo "Spark needs Java 17 and Maven on the PATH: install them, or use the engine embedded"; exit 1; }
	@mkdir -p $(SPARK_DIR)
	flock $(SPARK_DIR)/.lock sh -e -c 'test ! -e $@ || exit 0; \
	  mvn() { command mvn -q -B -f spark/pom.xml dependency:copy-dependencies -DoutputDirectory=$(SPARK_DIR)/jars; }; \
	  mvn || mvn || mvn; \
	  rm -rf $(SPARK_DIR)/server.new; \
	  $(BIN)/python -m pip install $(PATIENT) --require-hashes --no-deps \
	    --target $(SPARK_DIR)/server.new --requirement spark/server.lock; \
	  rm -rf $(SPARK_DIR)/server; mv $(SPARK_DIR)/server.new $(SPARK_DIR)/server; \
	  touch $@'

demo: setup ## The whole job on real data, in under a minute
	$(BIN)/autoloader demo

test: setup $(if $(SPARK_CAN),spark) ## Every test, on the real embedded stack; Spark too where Java and Maven are (COVERAGE=1 measures it)
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(WATCHED)

search: setup $(if $(SPARK_CAN),spark) ## The property tests with new random examples, where `make test` has the same each time
	$(BIN)/python -m pytest -n 3 --dist loadscope -q -m hypothesis --hypothesis-profile search

chaos: setup $(if $(SPARK_CAN),spark) ## Every fault, then 200 random schedules of them, each proved exact (SEED= alone plays these)
	$(if $(SEED),,$(BIN)/python -m pytest -n 3 --dist loadscope -q -m chaos tests/chaos tests/contract)
	$(BIN)/python -W ignore -m tests.chaos.run $(if $(SEED),--seed $(SEED)) $(if $(SCHEDULES),--schedules $(SCHEDULES))

crowd: setup ## 20 workers on 100,000 files, one killed every 3 s (FILES= and WORKERS= say otherwise)
	$(BIN)/python -W ignore -m tests.chaos.endure crowd $(if $(FILES),--files $(FILES)) $(if $(WORKERS),--workers $(WORKERS))

soak: setup ## Half an hour of arrivals, a worker killed every 20 s: nothing is lost, nothing grows (MINUTES=)
	$(BIN)/python -W ignore -m tests.chaos.endure soak $(if $(MINUTES),--minutes $(MINUTES))

check: setup ## Lint, format, types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code and mend what can be mended by a tool
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup $(if $(SPARK_CAN),spark) ## Ours, the bare limit, dlt and Spark on the same data; writes docs/benchmarks.md
	$(BIN)/python bench/run.py

docs: setup ## Write the generated reference pages again
	$(BIN)/python docs/generate.py

pictures: setup ## Draw the pictures of the docs again, from what the commands print
	$(BIN)/python docs/pictures.py

lock: ## Resolve the dependencies again into requirements.lock (hashes, no addresses)
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile pyproject.toml --extra stack --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file requirements.lock
	.venv-lock/bin/uv pip compile pyproject.toml --extra spark --constraint requirements.lock --universal \
	  --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet --output-file requirements-spark.lock
	.venv-lock/bin/uv pip compile bench/dlt/requirements.in --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file bench/dlt/requirements.lock
	rm -rf .venv-lock

clean: ## Remove what setup and the tests made
	rm -rf $(VENV) .venv-lock .bench-* .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
