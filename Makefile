# make run    the quickstart: a broker fed with sample events, until Ctrl-C
# make test   the whole test suite, against the real peers too
# make lint   formatting, lints, types and the walls between packages
# make docs   the documentation, into docs/_build/html
# make faults kill, starve and flood a real node for a few minutes; make soak for ten
# make fuzz   fuzz what reads bytes from outside, a quarter of a minute each
# make bench  voeflow beside Comet and a yardstick, in one run; make bench-quick in under a minute
#
# Each sets up what it needs: Python 3.11 or newer and make are enough.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
CTA := .venv-cta
BIN := $(VENV)/bin

.PHONY: run test lint docs fuzz faults soak bench bench-quick peers clean
.DEFAULT_GOAL := run

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "voeflow needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@ $(VENV)/.run

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@ $(VENV)/.run

$(VENV)/.fuzz: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@touch $@ $(VENV)/.run

# voevent-parse is built from source, by a script that uses names which Python 3.12 has taken away; this gives
# them back to the peers' environment.
define OLD_NAMES
import pathlib, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "old_names_of_configparser.pth").write_text(
    "import configparser as c; c.SafeConfigParser = c.RawConfigParser; "
    "c.RawConfigParser.readfp = c.RawConfigParser.read_file\n"
)
endef
export OLD_NAMES

# The peers that voeflow is tested against, in an environment of their own.
$(PEERS)/.installed: Makefile
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  comet==3.1.0 pygcn==1.1.3 gcn-kafka==0.3.4 hop-client==0.13.0 'setuptools>=75,<81'
	$(PEERS)/bin/python -c "$$OLD_NAMES"
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-build-isolation 'voevent-parse>=1.0.3'
	@touch $@

# The example distributions, installed as a user would, with what they need (astropy).
$(CTA)/.installed: pyproject.toml examples/cta/pyproject.toml examples/svom/bursts/pyproject.toml \
  examples/occultations/pyproject.toml
	$(PYTHON) -m venv $(CTA)
	$(CTA)/bin/python -m pip install --quiet --disable-pip-version-check -e . -e './examples/cta[test]'
	$(CTA)/bin/python -m pip install --quiet --disable-pip-version-check -e ./examples/svom/bursts -e ./examples/occultations
	@touch $@

peers: $(PEERS)/.installed

run: $(VENV)/.run
	$(BIN)/voeflow run examples/quickstart/pipeline.toml

test: $(VENV)/.dev $(PEERS)/.installed $(CTA)/.installed
ifeq ($(ARGS),)
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile -m 'not alone'
	$(BIN)/python -m pytest -m alone
else
	$(BIN)/python -m pytest $(ARGS)
endif
	$(CTA)/bin/python -m pytest --quiet examples/cta
	$(CTA)/bin/python -m pytest --quiet examples/svom/bursts
	$(CTA)/bin/python -m pytest --quiet examples/occultations

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

fuzz: $(VENV)/.fuzz
	$(BIN)/python -m fuzz $(ARGS)

faults: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m faults $(ARGS)

soak: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m faults --soak $(ARGS)

bench-quick: $(VENV)/.bench $(PEERS)/.installed
	$(BIN)/python -m benchmarks --quick $(ARGS)

bench: $(VENV)/.bench $(PEERS)/.installed
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) $(PEERS) $(CTA) docs/_build build dist
