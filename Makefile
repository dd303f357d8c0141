# Two commands do all set-up from an empty environment:
#   make demo              pose in a real clip (or VIDEO=path), with the plain package: no torch
#   make test              every check of the project, with the training libraries
# And one asks whether the declared range of versions is true, where the interpreters are at hand:
#   make matrix            the inference side on the oldest and on the newest Python and libraries
# Each has its own environment, so they work in any order and neither slows the other.

PYTHON ?= python3
VENV := .venv
DEMO_VENV := .venv-demo
DOCS_VENV := .venv-docs
CACHE := cache
DEMO_OUT := demo

# Sports2D (BSD-3-Clause) carries a 230-frame clip of a person walking; it is fetched, never committed.
# Only its clip is used, so it may ask for a newer Python than this one.
SPORTS2D := 0.8.34
DEMO_CLIP := $(CACHE)/sports2d-$(SPORTS2D)/Sports2D/Demo/demo.mp4
VIDEO ?=
DEMO_SOURCE = $(if $(VIDEO),$(VIDEO),$(DEMO_CLIP))

.PHONY: help demo test matrix docs figures format clean

help:
	@echo 'make demo [VIDEO=path]  keypoints, table and annotated video of one clip, in $(DEMO_OUT)/'
	@echo 'make test               ruff, mypy, import-linter and pytest'
	@echo 'make matrix             the inference side on the oldest and on the newest versions'
	@echo 'make docs               the documentation as a site, in build/site'
	@echo 'make figures            fill the tables of the documents from results/'
	@echo 'make format             let ruff rewrite what it can'
	@echo 'make clean              remove the environments, the cache and the demo results'

demo: $(DEMO_VENV)/installed $(if $(VIDEO),,$(DEMO_CLIP))
	$(DEMO_VENV)/bin/vidpose run "$(DEMO_SOURCE)" --overwrite \
	  --out "$(DEMO_OUT)/.jsonl" --out "$(DEMO_OUT)/.csv" --out "$(DEMO_OUT)/.mp4"
	@echo
	@echo 'The results are in $(CURDIR)/$(DEMO_OUT): .jsonl and .csv hold one record per frame,'
	@echo 'the .mp4 shows the skeletons. Try your own: make demo VIDEO=path/to/clip.mp4'

$(DEMO_VENV)/installed: pyproject.toml $(shell find src -type f -not -name '*.pyc')
	test -x $(DEMO_VENV)/bin/python || $(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python -m pip install --quiet .
	touch $@

$(DEMO_CLIP): | $(DEMO_VENV)/installed
	mkdir -p $(CACHE)
	$(DEMO_VENV)/bin/python -m pip download --quiet --no-deps --ignore-requires-python --only-binary :all: \
	  --dest $(CACHE) Sports2D==$(SPORTS2D)
	$(DEMO_VENV)/bin/python -m zipfile -e $(CACHE)/sports2d-$(SPORTS2D)-py3-none-any.whl \
	  $(CACHE)/sports2d-$(SPORTS2D)

test: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pytest

matrix:
	.ci/matrix

docs: $(DOCS_VENV)/installed
	$(DOCS_VENV)/bin/mkdocs build --strict

figures: $(DOCS_VENV)/installed
	$(DOCS_VENV)/bin/python benchmarks/fill_figures.py

$(DOCS_VENV)/installed: pyproject.toml
	test -x $(DOCS_VENV)/bin/python || $(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --editable '.[docs]'
	touch $@

$(VENV)/installed: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable '.[train,dev]'
	$(VENV)/bin/python -m pip install --quiet --no-deps 'trackeval>=1.3'
	touch $@

format: $(VENV)/installed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) $(DEMO_VENV) $(DOCS_VENV) .venv-oldest .venv-newest $(CACHE) $(DEMO_OUT)
