# Every target stands alone on a fresh machine that has python3 >= 3.11 and make.

PYTHON ?= python3
BIN := .venv/bin
LOCK := requirements-dev.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --python-version 3.11

# Arguments for pytest and what else takes some: make test ARGS="-k merge"
ARGS ?=
# Which of the long tests: make test-long MARK="long and ci"
MARK ?= long

.DEFAULT_GOAL := help
.PHONY: help install test test-long check format demo bench bench-long lock lock-peers licences clean

help:
	@echo 'make test        the tests that belong to every change (under 5 minutes)'
	@echo 'make test-long   the long ones: many seeds, chaos, all three stacks'
	@echo 'make check       style, types, layers'
	@echo 'make demo        the told story, end to end (make demo --keep: and leave it running, with a way into its console)'
	@echo 'make bench       the benchmarks, the small ones (under 15 minutes)'
	@echo 'make bench-long  the large ones (hours)'
	@echo 'make format      put the source into shape'
	@echo 'make lock        pin the dependencies anew (make lock ARGS=--upgrade: the newest ones)'
	@echo 'make lock-peers  the same for what the bench of peers compares with'
	@echo 'make licences    list the licences of what is locked (after make lock)'
	@echo 'make locale      compile the texts of the console in other languages'
	@echo 'make clean       remove what the other targets made'

# One more than there are processors, since many tests wait for a server; four at most.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); test $$n -ge 3 && echo 4 || echo $$((n + 1)))

install: .venv/.installed

# The stamp is written last: what was broken off half-way is done again.
.venv/.installed: $(LOCK) pyproject.toml
	@$(PYTHON) .ci/python.py
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --require-hashes --only-binary :all: -r $(LOCK)
	$(PIP) install --quiet --no-index --no-build-isolation --no-deps --editable .
	@touch $@

test: install
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not long' $(ARGS)

# pytest ends with 5 where a choice of tests is empty.
test-long: install
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m '$(MARK)' --timeout 900 $(ARGS) \
		|| test $$? -eq 5

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# make demo --keep: make takes that for its own --keep-going, and hands it on as a k among its flags.
demo: install
	$(BIN)/syncengine demo $(if $(findstring k,$(firstword -$(MAKEFLAGS))),--keep) $(ARGS)

bench: install
	$(BIN)/python -m bench small $(ARGS)

bench-long: install
	$(BIN)/python -m bench long $(ARGS)

# All locks agree: the later ones are held to the versions of the earlier, so that what is tested is what runs.
# They name no index: pip takes the one that the machine is set up with.
lock: install
	$(UV_COMPILE) $(ARGS) pyproject.toml --output-file requirements.txt
	$(UV_COMPILE) $(ARGS) requirements-build.in --constraint requirements.txt \
		--output-file requirements-build.txt
	$(UV_COMPILE) $(ARGS) pyproject.toml --extra dev requirements-build.in \
		--constraint requirements.txt --constraint requirements-build.txt --output-file $(LOCK)

# What the bench of peers compares with, in an environment of its own.
lock-peers: install
	$(UV_COMPILE) $(ARGS) bench/peer_scripts/requirements.in --output-file bench/peer_scripts/requirements.txt

licences: install
	$(BIN)/python .ci/licences.py

locale: install
	$(BIN)/pybabel --quiet compile --directory syncengine/web/console/locale --domain console

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
