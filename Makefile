# make demo: train, quantize, export and measure the built-in demo.   make test: the whole suite.   make check: lint and types.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test nightly bench check format clean

$(VENV)/.installed-demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[train]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@ $(VENV)/.installed-demo

demo: $(VENV)/.installed-demo
	$(BIN)/edgecnn export --demo --build-dir build
	@echo "report: $(CURDIR)/build/ecg_demo/report.html"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

# Hours: 100,000 random networks, ten million fuzzed files, new examples for every property.
nightly: $(VENV)/.installed-dev
	EDGECNN_NETWORKS=100000 EDGECNN_FUZZ_RUNS=10000000 \
		$(BIN)/python -m pytest -n auto --dist loadgroup --timeout 0 \
		tests/firmware/compiler/test_networks.py tests/firmware/compiler/sliding tests/fuzz $(PYTEST_ARGS)
	EDGECNN_HYPOTHESIS=search $(BIN)/python -m pytest -n auto --dist loadgroup --ignore tests/fuzz $(PYTEST_ARGS)

# The reports of benchmarks/reports: DATA holds hapt/, ecg5000/ and mitdb/ in their publishers' files.
bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/reports.py --data $(DATA)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files '*.c' '*.h' '*.cpp' ':!tests/**/golden/**' | xargs --no-run-if-empty $(BIN)/clang-format --dry-run --Werror

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files '*.c' '*.h' '*.cpp' ':!tests/**/golden/**' | xargs --no-run-if-empty $(BIN)/clang-format -i

clean:
	rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
