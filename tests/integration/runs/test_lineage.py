"""OpenLineage events of real runs: from the upstream API to the marts, and without data."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from devstack.stack import Stack
from tests.integration.runs.conftest import maker

TABLE = "warehouse.public.weather_data"
CANARY = "a reason in the conf"

Edges = dict[tuple[str, str], set[str]]


@pytest.fixture(scope="module")
def events(stack: Stack) -> list[dict[str, Any]]:
    """All events after a run of each DAG of the chain, which runs first what it needs."""
    make_run = maker(stack)
    for result in (
        make_run("weather_data_pipeline", date(2024, 8, 20), accept=CANARY),
        make_run("analytics_dbt"),
    ):
        assert result.good, result.text
    return [json.loads(line) for line in stack.state.lineage.read_text().splitlines()]


@pytest.fixture(scope="module")
def edges(events: list[dict[str, Any]]) -> Edges:
    """The tasks from each dataset to each other one, of tasks that succeeded."""
    found: Edges = {}
    for event in events:
        if event["eventType"] == "COMPLETE":
            for source in event["inputs"]:
                for target in event["outputs"]:
                    found.setdefault((source["name"], target["name"]), set()).add(event["job"]["name"])
    return found


def test_a_table_is_traced_back_to_the_upstream_api(edges: Edges, stack: Stack) -> None:
    raw = f"{stack.state.root}/storage/weather/raw"
    assert edges["weather_default", raw] == {"weather_data_pipeline.extract_weather"}
    assert edges[raw, TABLE] == {"weather_data_pipeline.load_weather"}


def test_a_mart_is_traced_back_to_its_tables(edges: Edges) -> None:
    assert edges[TABLE, "warehouse.analytics.weather_months"] == {"analytics_dbt.dbt_build"}


def test_a_table_has_the_columns_of_its_contract(events: list[dict[str, Any]], stack: Stack) -> None:
    tables = [table for event in events for table in event["outputs"] if table["name"] == TABLE]
    assert {table["namespace"] for table in tables} == {f"postgres://127.0.0.1:{stack.state.port('postgres')}"}
    fields = tables[0]["facets"]["schema"]["fields"]
    assert ("temperature", "double precision") in {(field["name"], field["type"]) for field in fields}


def test_neither_secrets_nor_data_are_sent(events: list[dict[str, Any]], stack: Stack) -> None:
    sent = stack.state.lineage.read_text()
    assert [name for name in ("postgres", "s3", "jwt", "api") if stack.state.secret(name) in sent] == []
    assert CANARY not in sent
    for event in events:
        assert event["run"]["facets"].keys() <= {"airflow", "nominalTime", "parent", "processing_engine", "tags"}
        assert event["job"]["facets"].keys() <= {"documentation", "jobType", "ownership", "tags"}
        assert event["run"]["facets"]["airflow"]["dagRun"].keys() == {"dag_id", "run_id", "run_type"}
