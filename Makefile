# The commands of a working day. Each may be called alone on a fresh clone, and is quick the second time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup environments demo test check format catalogue docs clean
.DELETE_ON_ERROR:

setup: $(STAMP)  ## the command `evenbench`, its development tools, and the environments of the three main frameworks
	$(BIN)/evenbench env create

environments: $(STAMP)  ## the same, with the environment of every framework
	$(BIN)/evenbench env create --all

demo: setup  ## the quick preset of every task on every framework; prints the report and where it lies
	$(BIN)/evenbench run

# Tests compare what processes print: in UTF-8 whatever the locale is, for what other ones do is tested by name.
test: export PYTHONUTF8 = 1
test: environments  ## all tests: most in two processes side by side, then those that need the machine for themselves
	@$(BIN)/pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder -m "not alone"; beside=$$?; \
	$(BIN)/pytest -m alone; alone=$$?; test $$beside$$alone = 00

check: $(STAMP)  ## format, lint and types; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)  ## mend what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

catalogue: $(STAMP)  ## merge the messages of the code into harness/locale, compile it, list what is not translated
	$(BIN)/python -m harness.cli.translations

docs: $(STAMP)  ## the tables of columns and the schemas under docs/, anew from the code
	$(BIN)/python -c "from reports.formats.publish import publish; publish()"

clean:  ## remove what was built here; environments are removed by `evenbench env remove`, results never
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an interrupted installation is begun again.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 13) else "Python 3.11 or 3.12 is needed, MindSpore has no wheel for others: make PYTHON=python3.11 ...")'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null; then uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable ".[dev]"; \
	else $(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"; fi
	touch $(STAMP)
