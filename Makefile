# `make demo` and `make test` need Python 3.11 or newer and a network to install from, nothing else.
# `make demo PYTHON=/path/to/python` chooses the interpreter.

VENV := .venv
BIN := $(VENV)/bin
# Each test process has one thread for matrix products: pytest-xdist already uses every processor.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help demo test lint types bench clean

help:
	@echo "make demo    install what is needed into $(VENV) and run the tour (about a minute)"
	@echo "make test    the same for the tests, and run them all"
	@echo "make lint    check the style"
	@echo "make types   check the types"
	@echo "make bench   compare the speed with other frameworks' (installs them; takes an hour)"
	@echo "make clean   remove what these have made"

demo: $(VENV)/.demo
	$(BIN)/pellucid tour

test: $(VENV)/.dev
	$(ONE_THREAD) $(BIN)/python -m pytest -n auto

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "Installing pellucid[plot] into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[plot]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing pellucid[dev] into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@ $(VENV)/.demo

$(BIN)/python:
	@found=; \
	for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Pellucid needs Python 3.11 or newer, and none was found." >&2; \
		echo "Install one, or say where it is: make demo PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$found cannot make virtual environments: its venv module is missing." >&2; \
		echo "On Debian and Ubuntu: sudo apt install python3-venv" >&2; \
		exit 1; \
	fi; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

clean:
	rm -rf $(VENV) .bench .oracle .pytest_cache .mypy_cache .ruff_cache build dist pellucid-tour
