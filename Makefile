# The whole project from a machine with Python 3.10 to 3.14 and nothing else: `make demo`, `make test`.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: help env test demo lint parity clean

help:
	@echo "make demo    train a small model on a generated data set and show what fusion settings do"
	@echo "make test    run the test suite"
	@echo "make parity  compare with Detectron2 and panopticapi on the full number of scenes"
	@echo "make lint    check the style and the types"
	@echo "make env     build the environment ($(VENV)); the other commands do it when it is needed"
	@echo "make clean   delete the environment, the caches and what the demo wrote"
	@echo
	@echo "VENV=/some/place keeps or uses an environment elsewhere; PYTHON=python3.11 builds it with that Python."

env:
	@$(PYTHON) tools/make_env.py $(VENV)

test: env
	$(RUN) -m pytest -n 2 --dist loadfile

demo: env
	$(RUN) -m panoptic_heuristic demo

lint: env
	$(RUN) -m ruff check .
	$(RUN) -m mypy

parity: env
	PARITY=full $(RUN) -m pytest tests/parity tests/cli/test_sweep_fusion.py tests/cli/test_cache_predictions.py -q

clean:
	rm -rf .venv output datasets/shapes .pytest_cache .ruff_cache .mypy_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
