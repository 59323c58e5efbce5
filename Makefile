# Two commands matter: `make book` builds the site, `make test` proves what it says.
# What the commands do stands in tools/__main__.py; `python tools book` runs them without make.

VENV   := .venv
BIN    := $(VENV)/bin
# whatever Python made .venv; python3 if there is none that runs
PYTHON ?= $(shell $(BIN)/python -c 'print("$(BIN)/python")' 2>/dev/null || echo python3)
PORT   ?= 8000
REPO   ?=
CH     ?=
N      ?=
PARTS  ?=
export REPO CH N PORT PARTS

.DEFAULT_GOAL := help
.PHONY: help book serve lab execute test test-cpus mutate bench epub pdf lint clean browser python

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' Makefile

book: $(VENV)/read ## build the site into _build/html (REPO=https://... adds launch and edit links)
serve: $(VENV)/read ## show the site at http://localhost:8000, as it was built (PORT=...)
lab: $(VENV)/read ## open the chapters in JupyterLab
execute: $(VENV)/read ## run the notebooks in place and store their outputs (CH=slug for one)
test: browser $(VENV)/dev ## everything, each part to its end, and a summary (CH=slug: what belongs to one chapter)
test-cpus: $(VENV)/dev ## kernels and strict re-execution as other processors would run them (CH=slug for one)
mutate: $(VENV)/dev ## mutation testing of the kernels (N=1200 for a sample of so many)
bench: browser $(VENV)/dev ## the kernels beside their peers, the book beside a plain one (writes benchmarks/results.md)
epub: $(VENV)/read ## build the book as an EPUB, with equations as MathML
pdf: browser $(VENV)/dev ## print the book as one PDF, from the site as it was built, and check that its links land
lint: $(VENV)/dev ## style of code and notebooks, spelling

book serve lab execute test test-cpus mutate bench epub pdf lint:
	@$(BIN)/python tools $@

clean: ## remove everything that was built, the environment included
	rm -rf _build $(VENV) .pytest_cache .ruff_cache .hypothesis mutants *.egg-info

$(VENV)/read $(VENV)/dev: python
	@$(PYTHON) tools/install.py $(@F)

browser: python
	@$(PYTHON) tools/chromium.py > /dev/null

python:
	@command -v $(PYTHON) > /dev/null || { echo "'$(PYTHON)' is not there. Try another: make PYTHON=python3.12"; exit 1; }
