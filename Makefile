# Two commands: `make demo` and `make test`. Each does all of its own set-up and may be run again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SIZE ?= medium
BASE ?= all-MiniLM-L6-v2

.PHONY: demo test check docs clean help

help:
	@echo "make demo [SIZE=small|medium|full] [BASE=model]   train, measure, search, report"
	@echo "make test                                         run the tests"
	@echo "make check                                        ruff, mypy --strict, the documentation's build"

demo: $(VENV)/.demo
	$(BIN)/cosmith run python-docs --size $(SIZE) --base $(BASE)

# Files of tests side by side, on as many processes as there are cores, four at most; each computes with one thread.
# In their order: by themselves the files with few tests go last, and the longest test is in one of these.
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

clean:
	rm -rf $(VENV) site

# One stamp an extra: installed again when what is to be installed has changed.
$(VENV)/.%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Cosmith needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Cosmith and what it needs into $(VENV) (about two minutes) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@
