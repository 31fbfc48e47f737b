# Every target creates .venv if it is missing or older than the files that it is built from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
NATIVE := $(shell find native -path native/tests -prune -o -type f -print) CMakeLists.txt
WORKERS ?= 2
RUN ?= runs/demo
FUZZ_S ?= 20
NATIVE_BUILD ?= build/native-tests
BENCHMARKS ?= layers output_layer language_model labelling predicting translation streaming uses busy
export RECURRA_REQUIRE_NATIVE ?= 1

.PHONY: demo test check lint check-native check-slow bench docs clean
.DEFAULT_GOAL := help

help:
	@echo "make demo         train a network on kinematics problems and show its samples during training"
	@echo "make test         run the tests"
	@echo "make check        run ruff, mypy and the tests"
	@echo "make check-native test the kernels against a reference under sanitizers, then on random cases for FUZZ_S seconds"
	@echo "make check-slow   run the long tests: hundreds of kills, training to published figures"
	@echo "make bench        measure the speed against other libraries; about 30 minutes, on an otherwise idle machine"
	@echo "make docs         build the documentation in docs/_build/html"

# The package is built with the tools in .venv, so that builds are incremental. Its dependencies are installed
# afterwards, in a separate call, so that pip builds those that exist only as source in isolation.
$(STAMP): pyproject.toml constraints.txt Makefile $(NATIVE)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt scikit-build-core nanobind cmake ninja
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip install --quiet --constraint constraints.txt 'recurra[dev]'
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

# g++ or clang++ with their sanitizers. native/tests/main.cpp describes how to run the program by hand.
check-native: $(STAMP)
	for sanitizer in address,undefined thread; do \
		build=$(NATIVE_BUILD)/$$sanitizer; \
		$(BIN)/cmake -S . -B $$build -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja \
			-DRECURRA_TESTS=ON -DRECURRA_OPTIMISE=-O1 -DRECURRA_SANITIZE=$$sanitizer \
		&& $(BIN)/cmake --build $$build \
		&& $$build/native/tests/native_tests \
		&& $$build/native/tests/native_tests --fuzz $(FUZZ_S) || exit 1; \
	done

check-slow: $(STAMP)
	$(MAKE) check-native FUZZ_S=300
	$(BIN)/python -m pytest -m slow

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt 'recurra[bench]'
	for name in $(BENCHMARKS); do \
		$(BIN)/python benchmarks/$$name.py --json benchmarks/results/$$name.json || exit 1; \
	done
	$(BIN)/python benchmarks/busy.py --recurra-first --layers rnn gru lstm --shapes 50,50,64,64 20,35,200,200 \
		--json benchmarks/results/busy_recurra_first.json
	$(BIN)/python docs/tables.py
	$(BIN)/python docs/pictures/draw.py benchmarks

# -E rebuilds every page: some are generated from the code, and their warnings appear only when they are built.
docs: $(STAMP)
	$(BIN)/python -m sphinx -E -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) build docs/_build
