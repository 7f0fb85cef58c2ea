# make demo: install and run the whole thing on the phantom. make test: install, check and run the tests.
# make quick: the tests that are not marked as slow. make bench, bench-quick: how fast, against what people use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_OUT ?= runs/demo
# One worker for each processor, one thread in each worker; the files that take longest begin first.
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: demo docs test quick durations check format clean bench bench-quick

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

# The checks run beside the tests and are shown after them; both have to pass.
test: $(STAMP)
	@$(MAKE) --no-print-directory check > .check.log 2>&1 & checks=$$!; \
	$(PYTEST); tests=$$?; \
	wait $$checks; checked=$$?; cat .check.log; exit $$((tests || checked))

quick: $(STAMP)
	$(PYTEST) -m "not slow"

# How long each test file takes, which gives the order of the tests.
durations: $(STAMP)
	$(PYTEST) --record-durations

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
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .check.log
