# `make help` lists the targets. Everything runs in .venv, which `make install` creates from the lock files.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install interpreter hooks run doctor preview sql adopt new-dag new-source new-model remove-domain skeleton reproduce challenger promote roll-back up down migrate demo status clean test gate unit integration faults faults-quick faults-soak faults-mutants e2e weekly tools pictures docs-site check fix lock manifest soak bench
unexport PYTHONDONTWRITEBYTECODE

# $(PYTHON) is set by the user: the interpreter for which .ci/install creates the environment.
VENV := .venv/bin/python
PYTEST := $(VENV) -m pytest
SIDE_BY_SIDE := -p tests.side_by_side --numprocesses
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/spellbook/tools
export PATH := $(PATH):$(TOOLS)/usr/bin
ifeq ($(origin AS),default)  # make's built-in name of the assembler
AS :=
endif
comma := ,
export DAG DATE TO AS CONF JSON SOURCE FILE FROM KIND NAME OF RUN RUNS BUSY FAULTS SEED WAREHOUSE_URI

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

.venv/installed: requirements/dev.txt requirements/dbt.txt .ci/install .ci/uv.txt $(if $(PYTHON),interpreter)
	@.ci/install

interpreter:  # with PYTHON=, .ci/install checks whether .venv uses another one

.venv-spark/installed: requirements/spark.txt .venv/installed
	@.ci/install spark

.venv-docs/installed: requirements/docs.txt .venv/installed
	@.ci/install docs

install: .venv/installed ## create the virtual environment from the lock files (other targets do this when needed)

hooks: install ## run the gate and the linters before every commit
	@.venv/bin/pre-commit install

run: install ## run one DAG end to end: DAG=weather_data_pipeline DATE=2024-06-01 TO=… AS=manual|scheduled|backfill|asset CONF='{…}'; JSON=1
	@$(VENV) -m devstack run "$${DAG:-weather_data_pipeline}" $${DATE:+--date "$$DATE"} $${TO:+--to "$$TO"} $${AS:+--as "$$AS"} $${CONF:+--conf "$$CONF"} $${JSON:+--json}

preview: install ## show what a run would change: DAG=… DATE=…; or judge a file: SOURCE=retail_lines FILE=… DATE=…; JSON=1 for JSON
	@if [ -n "$$DAG" ]; then \
	  $(VENV) -m devstack preview "$$DAG" $${DATE:+--date "$$DATE"} $${CONF:+--conf "$$CONF"} $${JSON:+--json}; \
	else \
	  $(VENV) -m include.command preview --source "$${SOURCE:?set DAG=, or SOURCE= and FILE=}" --file "$${FILE:?set FILE=}" \
	    $${DATE:+--date "$$DATE"} $${JSON:+--json}; \
	fi

sql: install ## show rows of the warehouse: QUERY='SELECT * FROM weather_data', or its tables without one
	@$(VENV) -m devstack sql $${QUERY:+"$$QUERY"}

adopt: install ## bring a DAG file of Airflow 2 up to date, and list what is left to do: FILE=dags/old.py
	@$(VENV) -m devstack adopt "$${FILE:?set FILE=, such as FILE=dags/old.py}"

new-dag: install ## create a DAG with domain, test and runbook: NAME=table_sizes KIND=etl|sql|dbt|sensor, or source, files, ml
	@$(VENV) -m devstack.new_dag "$${NAME:?set NAME=, such as NAME=table_sizes}" $${KIND:+--kind "$$KIND"} $${FROM:+--from "$$FROM"} \
	  $${DATA:+--data "$$DATA"} $${TARGET:+--target "$$TARGET"}

new-source: install ## create a source's YAML: NAME=orders with a test, or from rows: FROM=orders.csv, or an API's URL=/v1/orders
	@$(VENV) -m devstack.sources new "$${NAME:?set NAME=, such as NAME=orders}" $${FROM:+--from "$$FROM"} $${URL:+--url "$$URL"}

remove-domain: install ## delete examples with everything that belongs to them: NAME=titanic, or NAME='titanic wine'
	@$(VENV) -m devstack.removal $${NAME:?set NAME=, such as NAME=titanic}

skeleton: install ## delete every example except my_first_spell and the weather pipeline
	@$(VENV) -m devstack.removal --skeleton

new-model: install ## create a classifier from a table: NAME=churn DATA=churn.csv TARGET=left
	@$(VENV) -m devstack.new_model "$${NAME:?set NAME=, such as NAME=churn}" "$${DATA:?set DATA=, a CSV file}" \
	  "$${TARGET:?set TARGET=, the column to predict}" $${SEGMENT:+--segment "$$SEGMENT"}

reproduce: install ## train a registered model again and compare the files: RUN=a version or an MLflow run, default: the champion
	@$(VENV) -m devstack reproduce $${RUN:+"$$RUN"} $${NAME:+--model "$$NAME"}

challenger: install ## compare the challenger with the champion (DAYS=7), or choose it: VERSION=a version, run or candidate, none to clear
	@$(VENV) -m devstack challenger $${VERSION:+"$$VERSION"} $${DAYS:+--days "$$DAYS"} $${NAME:+--model "$$NAME"}

promote: install ## serve the challenger, if the gates have accepted it
	@$(VENV) -m devstack promote $${NAME:+--model "$$NAME"}

roll-back: install ## serve the model that the champion replaced; NAME= if there are several models
	@$(VENV) -m devstack roll-back $${NAME:+--model "$$NAME"}

doctor: install ## find what is wrong with the machine, the checkout, its settings or its stack; JSON=1 for JSON
	@$(VENV) -m devstack.doctor $${JSON:+--json}

up: install ## start Airflow with its web UI and all services, until Ctrl-C
	@$(VENV) -m devstack up

demo: install ## start the Compose stack with sample APIs, S3, mail, Slack and MLflow, and print its logins; .env stays in force
	@docker info >/dev/null 2>&1 || { echo "no container engine answers: start Docker, or use 'make up', which needs none" >&2; exit 1; }
	@$(VENV) -m devstack.doctor --only machine
	@export COMPOSE_ENV_FILES=$(if $(wildcard .env),.env$(comma))deploy/demo.env; \
	  docker compose up --detach --wait && docker compose run --rm cli credentials
	@echo "stop it: docker compose --env-file deploy/demo.env down"

down: install ## stop what `make run` and `make up` left running
	@$(VENV) -m devstack down

migrate: install ## migrate the warehouse's own tables: WAREHOUSE_URI=postgresql://…, default: the embedded warehouse
	@$(VENV) -m devstack migrate

status: install ## list the services, their state, ports and logs; JSON=1 for JSON
	@$(VENV) -m devstack status $${JSON:+--json}

clean: install ## stop everything and delete the stack's data
	@$(VENV) -m devstack clean

test: install .venv-spark/installed ## run the gate, unit and integration tests; with E2E=1, those of `make e2e` too
	@$(PYTEST) tests/gate tests/unit tests/integration $(if $(E2E),tests/e2e) $(SIDE_BY_SIDE) 2

gate: install ## check every DAG before a commit, in seconds; JSON=1 for JSON
	@$(if $(JSON),$(VENV) -m tests.gate,$(PYTEST) tests/gate)

unit: install ## run the tests without sockets
	@$(PYTEST) tests/unit $(SIDE_BY_SIDE) 2

integration: install .venv-spark/installed ## run the tests against real servers
	@$(PYTEST) tests/integration $(SIDE_BY_SIDE) 2

faults-quick: install ## inject one fault of each class
	@$(PYTEST) tests/faults

faults: install ## inject every fault into real processes of this machine: docs/reliability.md
	@$(PYTEST) tests/faults -m 'weekly or not weekly'

faults-mutants: install ## take guards out, one at a time, and check that the faults they are for are no longer survived
	@$(VENV) -m tests.faults.mutants

faults-soak: install ## inject FAULTS=50 random faults while runs go on, then check all rows and messages; SEED=… repeats them
	@$(VENV) -m tests.faults.soak $${FAULTS:+--faults "$$FAULTS"} $${SEED:+--seed "$$SEED"}

e2e: install .venv-spark/installed ## test the web UI in Chromium, the Compose stack if there is a container engine, and removals
	@$(PYTEST) tests/e2e $(SIDE_BY_SIDE) 2

weekly: install .venv-spark/installed ## run the tests that take too long for every push
	@$(PYTEST) tests -m weekly

tools: ## install promtool, amtool, PgBouncer, Redis, Java and Chromium for the tests
	@.ci/tools "$(TOOLS)"

pictures: install ## regenerate docs/images from real runs
	@.ci/pictures

docs-site: .venv-docs/installed ## build the documentation as a site, which works offline; a broken link fails
	@rm -rf docs/_build
	@.venv-docs/bin/python -m sphinx --fail-on-warning --quiet --conf-dir docs/site . docs/_build
	@echo "docs/_build/index.html"

check: install ## run the linters and the type checker
	@.ci/check

fix: install ## fix what can be fixed automatically: layout, imports, SQL, and all files that are derived from code
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .
	@.venv/bin/sqlfluff fix --quiet include
	@[ ! -d include/dbt ] || (cd include/dbt && ../../.venv/bin/sqlfluff fix --quiet .)
	@$(VENV) -m devstack.catalogue
	@$(VENV) -m deploy.derived
	@[ ! -d include/dbt ] || $(VENV) -m devstack.dbt_sources

lock: install ## update requirements*.txt from requirements*.in
	@.ci/lock

manifest: install ## update the dbt manifest after a change in include/dbt
	@$(VENV) -m include.domains.analytics

soak: install ## count how many of RUNS=50 cold starts of `make run` succeed; BUSY=4 busy programs run in parallel
	@$(VENV) -m benchmarks.soak $${RUNS:+--runs "$$RUNS"} $${BUSY:+--busy "$$BUSY"}

bench: install ## compare this repository with the alternatives, and write docs/performance.md; OF=parse, gates, drift …
	@$(VENV) -m benchmarks $${OF:-} $${REPEATS:+--repeats "$$REPEATS"}
