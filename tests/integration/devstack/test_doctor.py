"""Servers that are missing, refuse the login or aren't prepared get their diagnosis."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from devstack.doctor import settings, stack
from devstack.doctor.__main__ import problems
from devstack.doctor.setup import Setup
from devstack.postgres import WAREHOUSE, Postgres
from devstack.process import Record
from devstack.state import State, free_port
from include.core.settings import POSTGRES

BANK = "AIRFLOW_CONN_BANK"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """An empty checkout without settings."""
    return Setup(tmp_path, {}, State(tmp_path / "state"))


@pytest.fixture
def empty(postgres: Postgres) -> str:
    """URI of a database without tables."""
    name = f"empty_{secrets.token_hex(4)}"
    postgres.create_database(name)
    return postgres.uri(name)


def diagnosis(setup: Setup, uri: str) -> tuple[str, str]:
    [problem] = problems(settings.warehouse, replace(setup, environment={POSTGRES.variable: uri}))
    return problem.cause, problem.fix


def test_a_warehouse_that_is_prepared_is_healthy(setup: Setup, warehouse: str) -> None:
    assert problems(settings.warehouse, replace(setup, environment={POSTGRES.variable: warehouse})) == []


def test_a_warehouse_that_is_not_migrated_is_named(setup: Setup, empty: str) -> None:
    cause, fix = diagnosis(setup, empty)
    assert "have version none" in cause
    assert fix == "`make migrate`"


def test_a_wrong_password_is_told_from_a_missing_server(setup: Setup, postgres: Postgres) -> None:
    cause, fix = diagnosis(setup, replace(postgres, password="s3cret").uri("postgres"))
    assert "password authentication failed" in cause
    assert fix == "correct login and password"
    cause, fix = diagnosis(setup, replace(postgres, port=free_port(), password="s3cret").uri("postgres"))
    assert "connection failed" in cause
    assert fix == "start the server, or correct host and port"
    assert "s3cret" not in cause


def test_another_kind_of_database_is_named(setup: Setup) -> None:
    assert "has type 'mysql'" in diagnosis(setup, "mysql://me:s3cret@db/x")[0]


def test_a_server_of_http_that_does_not_answer_is_named(setup: Setup) -> None:
    port = free_port()
    [problem] = problems(settings.connections, replace(setup, environment={BANK: f"http://127.0.0.1:{port}"}))
    assert f"{BANK}: nothing answers at 127.0.0.1:{port}" in problem.cause


def test_a_server_of_http_that_answers_is_healthy(setup: Setup, postgres: Postgres) -> None:
    assert problems(settings.connections, replace(setup, environment={BANK: f"http://127.0.0.1:{postgres.port}"})) == []


def test_a_host_of_metrics_that_does_not_exist_is_named(setup: Setup) -> None:
    switched_on = {"AIRFLOW__METRICS__STATSD_ON": "True", "AIRFLOW__METRICS__STATSD_HOST": "no-such-host.invalid"}
    [problem] = problems(settings.statsd, replace(setup, environment=switched_on))
    assert "'no-such-host.invalid' doesn't exist" in problem.cause
    assert problems(settings.statsd, replace(setup, environment={"AIRFLOW__METRICS__STATSD_ON": "False"})) == []


def test_the_stacks_own_database_must_be_migrated(open_folder: Path) -> None:
    state = State.open(open_folder / "state")
    server = Postgres.of(state, durable=False)
    record = Record.of(server.start(), "")
    try:
        record.write(state.services / "postgres.json")
        server.create_database(WAREHOUSE)
        setup = Setup(open_folder, {}, state)
        [problem] = problems(stack.database, setup)
        assert problem.fix == "`make migrate`"
        server.prepare_warehouse()
        assert problems(stack.database, setup) == []
    finally:
        server.remove()
