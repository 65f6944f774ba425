# Needs Python 3.11, make and a package index; nothing else. `make demo` is the main job, `make test` the tests.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed
DATA ?= ../shared/data
# How many mutations `make prove` makes; SEED= repeats a run.
N ?= 100000
SEED ?=

.PHONY: help install demo dev test lint format prove prove-guards prove-closure prove-facts prove-real prove-review prove-all lock clean

help:
	@echo "make demo        run the sample incident through Dagster and print what the customers' pages said"
	@echo "make dev         Dagster UI with daemon on http://127.0.0.1:3000"
	@echo "make test        lint, types, import rules, definitions and every test at reduced counts"
	@echo "make lint        ruff, mypy, import-linter and dg check defs alone"
	@echo "make prove       mutate restricted values and permitted facts: make prove N=100000 SEED=word"
	@echo "make prove-guards  the same with each guard switched off in turn"
	@echo "make prove-closure  close cases through random kills and outages: make prove-closure N=10000 SEED=word"
	@echo "make prove-facts  which share of permitted facts a page shows: make prove-facts DATA=FOLDER"
	@echo "make prove-real  the acceptance run on real incidents: make prove-real DATA=FOLDER"
	@echo "make prove-review  the same incidents reviewed by scripted people: make prove-review DATA=FOLDER"
	@echo "make prove-all   all of these and the fault suites, with one page of figures at the end"
	@echo "make clean       remove the environment, caches and the demo's state"

install: $(STAMP)

# Every dependency with its hash; then the project itself, without asking the index for anything.
$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "Python 3.11 is needed; say make PYTHON=/path/to/python3.11"; exit 3; }
	@echo "Installing into .venv (about a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install
	@$(BIN)/channelsafe demo

dev: install
	@$(BIN)/channelsafe dev

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/dg check defs

test: lint
	$(BIN)/pytest -n 2 -m "not real_data"

prove-real: install
	CHANNELSAFE_REAL_DATA=$(DATA) $(BIN)/pytest -m real_data -s

prove-review: install
	CHANNELSAFE_REAL_DATA=$(DATA) CHANNELSAFE_EXAMPLES=full $(BIN)/pytest -m real_data -s \
		tests/real_data/test_reviewed_incidents.py

prove: install
	$(BIN)/python -m tests.harness prove --mutations $(N) --seed "$(SEED)"

prove-guards: install
	$(BIN)/python -m tests.harness guards --seed "$(SEED)"

prove-closure: N = 10000
prove-closure: install
	$(BIN)/python -m tests.harness closure --effects $(N) --seed "$(SEED)"

prove-facts: install
	$(BIN)/python -m tests.harness facts --data "$(DATA)"

prove-all: install
	$(BIN)/python -m tests.harness all --mutations $(N) --data "$(DATA)"

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: install
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" requirements.in -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" benchmarks/dbos/requirements.in \
		-o benchmarks/dbos/requirements.lock

clean:
	rm -rf .venv .channelsafe .channelsafe-keys .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
