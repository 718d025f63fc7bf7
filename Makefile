# Bare `make` lists the targets. Every target sets up what it needs; a second call is quick.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e ".[book,dev]"
	@touch $@

setup: $(READY) ## make the environment in .venv (all other targets do this by themselves)

book: $(READY) ## execute every chapter and build the site: build/html/index.html
	$(BIN)/python book/build.py

lab: $(READY) ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

lint: $(READY) ## style, layers, spelling, stored outputs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell
	$(BIN)/nbstripout --verify $$(git ls-files 'notebooks/*.ipynb')

types: $(READY) ## mypy, strict
	$(BIN)/mypy

unit: $(READY) ## unit tests and doctests
	$(BIN)/pytest -n 2 --dist loadfile -m "not book" tests ldctlib

test: lint types unit book ## everything: lint, types, tests, the book, its pages in a browser
	$(BIN)/pytest -m book tests

format: $(READY) ## format the code and strip the notebooks
	$(BIN)/ruff check --fix --quiet || true
	$(BIN)/ruff format --quiet
	$(BIN)/nbstripout $$(git ls-files 'notebooks/*.ipynb')

benchmarks: $(READY) ## measure the claims of speed and write benchmarks/README.md
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e ".[benchmarks]"
	for script in metrics radiomic_features projector sampler training denoisers viewer phantoms search srmse removal removal_cases segmenter detectability resolution consistency segment_loss dose_limit truth_test volume; do $(BIN)/python benchmarks/$$script.py || exit 1; done
	$(BIN)/python benchmarks/table.py

constraints: $(READY) ## pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.10 \
	  --no-header --no-annotate --no-strip-extras --upgrade --quiet -o constraints.txt

clean: ## remove what was built (not the environment, not the data cache)
	rm -rf build .mypy_cache .ruff_cache

.PHONY: help setup book lab lint types unit test format benchmarks constraints clean
