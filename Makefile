# `make help` lists what there is. Everything runs in .venv, which `make install` makes from the lock.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install interpreter hooks run new-source remove-domain skeleton up down status clean test gate unit integration e2e weekly tools pictures check fix lock manifest soak bench
unexport PYTHONDONTWRITEBYTECODE

# $(PYTHON) is the user's: the interpreter that .ci/install makes the environment with.
VENV := .venv/bin/python
PYTEST := $(VENV) -m pytest
SIDE_BY_SIDE := --numprocesses 2 -p tests.side_by_side
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/spellbook/tools
export PATH := $(PATH):$(TOOLS)/usr/bin
ifeq ($(origin AS),default)  # make's own name of the assembler
AS :=
endif
export DAG DATE TO AS CONF NAME RUNS BUSY

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

.venv/installed: requirements/dev.txt requirements/dbt.txt .ci/install .ci/uv.txt $(if $(PYTHON),interpreter)
	@.ci/install

interpreter:  # given as PYTHON=: .ci/install sees whether .venv is of another one

.venv-spark/installed: requirements/spark.txt .venv/installed
	@.ci/install spark

install: .venv/installed ## the virtual environment, from the lock (the others do it by themselves)

hooks: install ## run the gate and the linters before every commit
	@.venv/bin/pre-commit install

run: install ## one DAG, end to end: DAG=weather_data_pipeline DATE=2024-06-01 TO=… AS=manual|scheduled|backfill|asset CONF='{…}'
	@$(VENV) -m devstack run "$${DAG:-weather_data_pipeline}" $${DATE:+--date "$$DATE"} $${TO:+--to "$$TO"} $${AS:+--as "$$AS"} $${CONF:+--conf "$$CONF"}

new-source: install ## a source's YAML and its test: NAME=orders
	@$(VENV) -m devstack.sources new "$${NAME:?give NAME=, such as NAME=orders}"

remove-domain: install ## delete examples with all that is theirs: NAME=titanic, or NAME='titanic wine'
	@$(VENV) -m devstack.removal $${NAME:?give NAME=, such as NAME=titanic}

skeleton: install ## delete every example but my_first_spell and the weather pipeline
	@$(VENV) -m devstack.removal --skeleton

up: install ## Airflow's web UI and everything behind it, until Ctrl-C
	@$(VENV) -m devstack up

down: install ## stop what `make run` and `make up` left running
	@$(VENV) -m devstack down

status: install ## what runs, and where
	@$(VENV) -m devstack status

clean: install ## stop everything and delete its data
	@$(VENV) -m devstack clean

test: install .venv-spark/installed ## all tests but those of the web UI and the Compose stack
	@$(PYTEST) tests/gate tests/unit tests/integration $(SIDE_BY_SIDE)

gate: install ## what every DAG must pass before a commit, in seconds
	@$(PYTEST) tests/gate

unit: install ## tests without sockets
	@$(PYTEST) tests/unit $(SIDE_BY_SIDE)

integration: install .venv-spark/installed ## tests against real servers
	@$(PYTEST) tests/integration $(SIDE_BY_SIDE)

e2e: install .venv-spark/installed ## the web UI in a real Chromium; the Compose stack, where a container engine answers
	@$(PYTEST) tests/e2e

weekly: install .venv-spark/installed ## the tests that take too long for every push
	@$(PYTEST) tests -m weekly

tools: ## promtool, amtool and a Chromium, for the tests that need them
	@.ci/tools "$(TOOLS)"

pictures: install ## docs/images, from real runs
	@.ci/pictures

check: install ## linters and types
	@.ci/check

fix: install ## what can be fixed by itself: layout, imports, SQL, docs/DAGS.md
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .
	@.venv/bin/sqlfluff fix --quiet include
	@[ ! -d include/dbt ] || (cd include/dbt && ../../.venv/bin/sqlfluff fix --quiet .)
	@$(VENV) -m devstack.catalogue

lock: install ## bring requirements*.txt up to date with requirements*.in
	@.ci/lock

manifest: install ## the dbt project's graph, after a change in include/dbt
	@$(VENV) -m include.domains.analytics

soak: install ## cold starts one after the other, how many of them are green: RUNS=50 BUSY=4
	@$(VENV) -m benchmarks.soak $${RUNS:+--runs "$$RUNS"} $${BUSY:+--busy "$$BUSY"}

bench: install ## measure what the README promises
	@$(VENV) -m benchmarks
