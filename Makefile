# imagewright: `make run PROMPT="..."` and `make test` are all that a newcomer needs; `make help` lists the rest.
# Variables: PROMPT   what to draw (any characters; it is handed over as it is)
#            ARGS     further options, e.g. ARGS="--seed 7"
#            PYTHON   the Python to build .venv with, from 3.11 on
#            TORCH_INDEX  where torch comes from; a machine without a GPU saves gigabytes with
#                         TORCH_INDEX=https://download.pytorch.org/whl/cpu

# First of all, so that make never expands or runs what stands in a prompt.
ifeq ($(origin PROMPT),undefined)
override PROMPT := two red circles above a blue square on a white background
endif
override PROMPT := $(value PROMPT)
export PROMPT

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
LOG := $(VENV)/install.log
# Much of a test's time goes by while it waits for processes of its own, so several run side by side, one file in each.
PYTEST := $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile
TORCH_INDEX ?=
comma := ,
# What .venv depends on: a change of either file, or of the folder, installs again; so does an interrupted install.
KEY := $(shell { cat pyproject.toml constraints.txt; pwd; } | cksum | cut -d ' ' -f 1)
READY := $(VENV)/.ready-run-$(KEY)
READY_DEV := $(VENV)/.ready-dev-$(KEY)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1@/p' Makefile | awk -F@ '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: run
run: $(READY) ## draw PROMPT into out/ and tell how it came about
	@$(BIN)/python -m imagewright.cli draw --out out/ $(ARGS) -- "$$PROMPT"

.PHONY: test
test: $(READY_DEV) ## run the tests (ARGS="-m slow" for the long ones)
	@$(PYTEST) $(ARGS)

.PHONY: check
check: $(READY_DEV) ## format, lint, types, import contracts and tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(PYTEST)

.PHONY: bench
bench: $(READY) ## run the benchmarks that need no GPU
	@$(BIN)/python -m imagewright.evals.mini_report
	@if [ -n "$$IMAGEWRIGHT_DATA" ]; then $(BIN)/python -m imagewright.evals.lmd --data "$$IMAGEWRIGHT_DATA"; \
	else echo "layouts on LMD's prompts: skipped; set IMAGEWRIGHT_DATA to a folder with lmd/prompts.jsonl"; fi

.PHONY: docs
docs: $(READY) ## write docs/commands.md from the command's own help
	@$(BIN)/python -m typer imagewright.cli.app utils docs --name imagewright --output docs/commands.md

.PHONY: first-hour
first-hour: $(READY) ## write docs/first-hour.md: a newcomer's first hour, typed and recorded (minutes)
	@$(BIN)/python -m imagewright.evals.first_hour

.PHONY: captures
captures: $(READY_DEV) ## write docs/llm_captures.md: what agents show when a language model misbehaves
	@$(BIN)/python tests/graph/llm_captures.py

.PHONY: mini
mini: $(READY) ## train the small model and its detectors (hours; goes on after an interruption)
	@$(BIN)/python -m imagewright.t2i_backends.mini.training.train_autoencoder
	@$(BIN)/python -m imagewright.t2i_backends.mini.training.train $(ARGS)
	@$(BIN)/python -m imagewright.t2i_backends.mini.training.train_detector critic
	@$(BIN)/python -m imagewright.t2i_backends.mini.training.train_detector evidence

.PHONY: mini-variants
mini-variants: $(READY) ## train the small model's LoRAs and its variant of few steps (an hour; goes on after an interruption)
	@for name in counting relations few-steps; do $(BIN)/python -m imagewright.t2i_backends.mini.training.train_variants $$name || exit 1; done

.PHONY: mini-more
mini-more: $(READY) ## train the shipped small model further, from its weights (ARGS="--steps 6000")
	@$(BIN)/python -m imagewright.t2i_backends.mini.training.train --work .mini-more --from t2i_backends/mini/weights/pipeline $(ARGS)

.PHONY: evidence
evidence: $(READY) ## measure the small model's flows (hours) and write the evidence that ships (goes on after an interruption)
	@$(BIN)/python -m imagewright.tools.mini_flows --out $(VENV)/mini-flows
	@$(BIN)/python -m imagewright.evals.matrix --flows $(VENV)/mini-flows --out retrieval/evidence/mini.jsonl $(ARGS)
	@$(BIN)/python -m imagewright.evals.pack_vectors

.PHONY: mini-report
mini-report: $(READY) ## measure the small model on 400 prompts with the exact checker
	@$(BIN)/python -m imagewright.evals.mini_report $(ARGS)

.PHONY: clean
clean: ## remove what was built; your pictures in out/ and the trained model stay
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -f $(VENV)/.ready-*

# --- what the targets stand on ----------------------------------------------------------------

# $(call install,WORDS,ARGUMENTS OF PIP): quiet, with the end of pip's log when it fails.
define install
echo "  installing $(1) …"; \
$(BIN)/python -m pip install --quiet --disable-pip-version-check $(2) >$(LOG) 2>&1 || { \
  tail -n 15 $(LOG) >&2; \
  echo "make: installing $(1) failed; the whole log is in $(LOG)" >&2; exit 1; }
endef

$(READY): | venv
	@$(call install,torch (the first time takes minutes),$(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) -c constraints.txt torch)
	@$(call install,imagewright and what it needs,-c constraints.txt -e '.[llm$(comma)serve]')
	@rm -f $(VENV)/.ready-run-*; touch $@

$(READY_DEV): $(READY)
	@$(call install,what the tests need,-c constraints.txt -e '.[llm$(comma)serve$(comma)dev]')
	@rm -f $(VENV)/.ready-dev-*; touch $@

.PHONY: venv
venv:
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make: imagewright needs Python 3.11 or newer, and $$(python3 --version 2>/dev/null || echo no Python) is here" >&2; \
	  echo "  install it (sudo apt install python3 python3-venv), or name one: make run PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	echo "  making $(VENV) with $$($$found --version) …"; \
	if ! { $$found -c 'import venv, ensurepip' && $$found -m venv --clear $(VENV); } >/dev/null 2>&1; then \
	  case $$found in python3.*) package=$$found-venv;; *) package=python3-venv;; esac; \
	  rm -rf $(VENV); \
	  echo "make: Python's venv module is missing; install it: sudo apt install $$package" >&2; exit 1; \
	fi
