# make demo [BAG=folder]   plan a recording through live nodes, print the table
# make recording           drive the shipped recording again (the default of the demo)
# make emma-small          the shipped model again, from nothing (WORKERS=2 ROUNDS=3; half a day on 2 cores)
# make test [PYTEST=args]  formatter, linters, types and all tests that need no accelerator
# make simulator           environment of its own for the simulator, which needs Python below 3.12
# make lint | format | setup | clean
#
# Each does its own set-up in .venv on Debian or Ubuntu with Python 3.10 or later.
# PYTHON=python3.12      interpreter for .venv (default: the first that fits)
# TORCH_INDEX=address    package index with CPU wheels of torch, where pip has none configured;
#                        without one, pip takes torch with CUDA
# DEMO='--model FOLDER'  more options for the demo
# TRAIN='.venv/bin/torchrun --standalone --nproc-per-node 2 -m emma_planner.cli train'
#                        training of emma-small on several cores or devices

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo recording emma-small simulator test lint format clean

BIN := .venv/bin
READY := .venv/.ready
BAG ?= recording/drive
OUT ?= out/demo
WORKERS ?= 2
ROUNDS ?= 3
TRAIN ?= $(BIN)/emma train

# a sourced ROS distribution would mix its rclpy with the one of .venv
ifdef AMENT_PREFIX_PATH
unexport AMENT_PREFIX_PATH LD_LIBRARY_PATH RMW_IMPLEMENTATION
endif
unexport PYTHONPATH

# nodes of this run alone: own domain, this machine only
ISOLATED := ROS_DOMAIN_ID=$$(($$$$ % 100 + 1)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile

setup: $(READY)

$(READY): .ci/setup setup.py pyproject.toml
	@.ci/setup .venv
	@touch $@

demo: $(READY)
	@if [ ! -e "$(BAG)" ]; then \
	  echo "make demo: need a recording, got '$(BAG)'; name one: make demo BAG=FOLDER" >&2; \
	  exit 2; fi
	@echo "==> planning $(BAG)"
	@$(ISOLATED) $(BIN)/emma replay "$(BAG)" --live --overwrite --out "$(OUT)" \
	  $(if $(findstring kitti,$(BAG)),--preset kitti) --set reason_tokens=48 $(DEMO)

recording: $(READY)
	@$(BIN)/emma drive --planner expert --split train --seeds 21 --time-limit 30 --image-rate 4 --quiet \
	  --overwrite --out out/recording
	@rm -rf recording/drive
	@mv out/recording/train-021/drive recording/drive

# each step goes on where it was cut off; ROUNDS of the model's own drives, each with the model of
# the round before
emma-small: $(READY)
	@$(BIN)/emma dataset build --seeds 0-415 --workers $(WORKERS) --out out/ds/train
	@$(BIN)/emma dataset build --split val --seeds 0-15 --workers $(WORKERS) --out out/ds/val
	@[ -d out/emma-small/start ] || $(BIN)/emma model init out/emma-small/start
	@$(TRAIN) config/training/perception.yaml
	@$(TRAIN) config/training/sft.yaml
	@set -e; last=out/emma-small/sft/model; data=out/ds/train; \
	for round in $$(seq $(ROUNDS)); do \
	  own=out/ds/own$$round; run=out/emma-small/round$$round; data="$$data, $$own"; \
	  $(BIN)/emma dataset build --seeds $$((round * 512))-$$((round * 512 + 511)) --pilot $$last \
	    --workers $(WORKERS) --out $$own; \
	  $(TRAIN) config/training/dagger.yaml --set model=$$last --set "data=[$$data]" --set out=$$run; \
	  last=$$run/model; \
	done; \
	rm -rf out/emma-small/shipped; $(BIN)/emma model export $$last out/emma-small/shipped
	@cp out/emma-small/shipped/* models/emma-small/

simulator:
	@.ci/setup-simulator "$(HOME)/.cache/emma_planner/simulator"

lint: $(READY)
	@echo '==> ruff'
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@echo '==> mypy'
	@$(BIN)/mypy
	@echo '==> import rules'
	@$(BIN)/lint-imports

test: lint
	@echo '==> pytest'
	@$(ISOLATED) ROS_PYTHON_CHECK_FIELDS=1 $(BIN)/python -m pytest -m 'not gpu' $(PYTEST)

format: $(READY)
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean:
	rm -rf .venv build dist install log out *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache
