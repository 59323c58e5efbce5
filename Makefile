# Two commands matter: `make book` builds the site, `make test` proves what it says.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SITE   := _build/html
PORT   ?= 8000
REPO   ?=
CH     ?=
N      ?=

export BOOK_REPO := $(REPO)
SOURCES := $(shell find chapters utils _ext _static _templates -type f \
             -not -name '*.pyc' -not -name '*.tmp' -not -path '*/.ipynb_checkpoints/*') \
           $(wildcard *.md *.yml *.bib)

.DEFAULT_GOAL := help
.PHONY: help book serve lab execute test test-cpus mutate bench epub pdf lint clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

book: $(SITE)/.built ## build the site into _build/html (REPO=https://... adds launch and edit links)
	@echo "The book is in $(SITE)/index.html; 'make serve' shows it at http://localhost:$(PORT)"

serve: book ## serve the site at http://localhost:8000 (PORT=...)
	@echo "Serving http://localhost:$(PORT), stop with Ctrl-C"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(SITE)

lab: $(VENV)/read ## open the chapters in JupyterLab
	$(BIN)/jupyter lab chapters

execute: $(VENV)/read ## run the notebooks in place and store their outputs (CH=slug for one)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/notebooks.py execute $(CH)

test: browser $(VENV)/dev ## everything, each part to its end, and a summary (CH=slug: what belongs to one chapter)
	@$(BIN)/python tools/run_tests.py $(CH)

.PHONY: browser
browser:
	@command -v chromium > /dev/null || command -v chromium-browser > /dev/null || \
	  { echo "The site tests need Chromium, and it is not there: apt-get install chromium"; exit 1; }

test-cpus: $(VENV)/dev ## kernels and strict re-execution as other processors would run them (CH=slug for one)
	@$(BIN)/python tools/processors.py $(CH)

mutate: $(VENV)/dev ## mutation testing of the kernels (N=1200 for a sample of so many)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/mutate.py $(N)

epub: $(VENV)/read ## build the book as an EPUB, with equations as MathML
	@$(BIN)/python tools/build.py --builder custom --custom-builder epub
	@$(BIN)/python tools/offer.py _build/epub/*.epub
	@echo "The book is in $$(ls _build/epub/*.epub)"

pdf: book browser $(VENV)/dev ## print the book as one PDF, and check that its links land
	@$(BIN)/python tools/pdf.py

bench: book browser $(VENV)/dev ## the kernels beside their peers, the book beside a plain one (writes benchmarks/results.md)
	@$(BIN)/python benchmarks/run.py

lint: $(VENV)/dev ## style of code and notebooks, spelling
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check . && $(BIN)/codespell

clean: ## remove everything that was built, the environment included
	rm -rf _build $(VENV) .pytest_cache .ruff_cache .hypothesis mutants *.egg-info

# The address of the repository is part of the pages: another one builds them anew.
$(SITE)/.built: $(VENV)/read $(SOURCES) $(if $(filter-out $(REPO),$(shell cat $(SITE)/.built 2>/dev/null)),FORCE)
	@$(BIN)/python tools/build.py
	@echo "$(REPO)" > $@

$(VENV)/read: requirements.txt constraints.txt pyproject.toml
	@$(call install,requirements.txt)
	@touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/read
	@$(call install,requirements-dev.txt)
	@touch $@

define install
command -v $(PYTHON) > /dev/null || { echo "The book needs Python 3.11 or newer, and '$(PYTHON)' is not there."; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "The book needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12"; exit 1; }; \
test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV); \
echo "Installing $(1) into $(VENV)"; \
$(BIN)/pip install -q --disable-pip-version-check -r $(1)
endef

.PHONY: FORCE
FORCE:
