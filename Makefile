# make demo: install and run the whole thing on the phantom. make test: install and run the tests.
# make bench, bench-quick: how fast, against what people use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_OUT ?= runs/demo

.PHONY: demo docs test check format clean bench bench-quick

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev,export,openvino]"
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/sonoproof demo --out $(DEMO_OUT)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest

# Speed against the field's peer, which gets an environment of its own (.venv-peer). Use an idle machine.
bench: $(STAMP)
	$(BIN)/python -m benchmarks.speed

bench-quick: $(STAMP)
	$(BIN)/python -m benchmarks.speed --quick

# The page of settings, from the tables in the source.
docs: $(STAMP)
	$(BIN)/python docs/settings_page.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
