# PYTHON=python3.12                the Python to make .venv with (3.10 or newer)
# TORCH_INDEX=<url>                take torch from this index, e.g. https://download.pytorch.org/whl/cpu
# PIP_ARGS="--index-url <url> …"   further arguments for every pip install
# DATA=<folder> OUTPUT=<folder>    for `make demo` and `make campaign`
PYTHON ?= python3
VENV ?= .venv

RUN := $(VENV)/bin/python
PIP = $(RUN) -m pip install --disable-pip-version-check $(PIP_ARGS)
TORCH = $(if $(TORCH_INDEX),$(PIP) 'torch>=2.5' --index-url $(TORCH_INDEX))

# Named by hand, but the environment is of another one.
ifeq ($(origin PYTHON),command line)
ifneq ($(wildcard $(RUN)),)
ifneq ($(shell $(PYTHON) --version 2>&1),$(shell $(RUN) --version 2>&1))
$(error $(VENV) is of $(shell $(RUN) --version 2>&1), PYTHON=$(PYTHON) is $(shell $(PYTHON) --version 2>&1). \
  Remove $(VENV), or make another one beside it: VENV=.venv-new)
endif
endif
endif

ifneq ($(words $(VENV)),1)
$(error VENV="$(VENV)" has spaces, expected a folder without any)
endif

.PHONY: help venv test lint demo campaign bench clean

help:
	@echo "make test    check and test everything, as CI does"
	@echo "make lint    ruff and mypy alone"
	@echo "make demo    the whole story on synthetic data; DATA=<folder> for your own"
	@echo "make campaign   rounds of choosing, annotating (played) and tuning; DATA=<folder> for your own"
	@echo "make bench   time one training step"
	@echo "make venv    the environment for all of these, in $(VENV)"
	@echo "make clean   remove what tests, builds and the demo left; $(VENV) stays"
	@sed -n '/^# /!q; s/^# /    /p' Makefile

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Python 3.10 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	       "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test ! -e $(VENV) || { echo "$(VENV) is there, but $(RUN) is not: no Python environment." \
	  "Remove it, or make one beside it: make $(MAKECMDGOALS) VENV=.venv-new" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Stamps: pip runs again only when setup.cfg has changed.
$(VENV)/.installed: setup.cfg | $(RUN)
	$(TORCH)
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: setup.cfg | $(RUN)
	$(TORCH)
	$(PIP) --editable '.[dev]'
	touch $(VENV)/.installed $@

venv: $(VENV)/.installed-dev

lint: venv
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy

# The last line says how many tests ran; -ra names each skipped one with its reason.
test: lint
	$(RUN) -m pytest --cov -n auto --maxprocesses 4 --dist loadfile

demo: $(VENV)/.installed
	$(RUN) examples/demo/run.py $(if $(findstring command,$(origin DATA)),--data "$(DATA)") $(if $(findstring command,$(origin OUTPUT)),--output "$(OUTPUT)")

campaign: $(VENV)/.installed
	$(RUN) examples/demo/campaign.py $(if $(findstring command,$(origin DATA)),--data "$(DATA)") $(if $(findstring command,$(origin OUTPUT)),--output "$(OUTPUT)")

bench: $(VENV)/.installed
	$(RUN) benchmarks/step.py
	$(RUN) benchmarks/memory.py

clean:
	rm -rf build dist *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache demo_output campaign_output
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
