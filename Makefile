# Every target makes .venv itself where it is absent or older than what it is built from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
NATIVE := $(shell find native -type f) CMakeLists.txt
WORKERS ?= 2
RUN ?= runs/demo
export RECURRA_REQUIRE_NATIVE ?= 1

.PHONY: demo test check lint check-slow bench docs clean
.DEFAULT_GOAL := help

help:
	@echo "make demo         train a recurrent network on kinematics problems and watch it learn to write"
	@echo "make test         the tests"
	@echo "make check        ruff, mypy and the tests"
	@echo "make check-slow   the long checks: hundreds of kills, training to published figures"
	@echo "make bench        speed, beside the peers"
	@echo "make docs         the documentation, into docs/_build/html"

$(STAMP): pyproject.toml constraints.txt Makefile $(NATIVE)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt scikit-build-core nanobind cmake ninja
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/recurra demo --out $(RUN) --overwrite

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test

check-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)
	$(BIN)/python benchmarks/layers.py

docs: $(STAMP)
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) build docs/_build
