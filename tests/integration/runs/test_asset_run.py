"""What assets start: DAGs that wait for one, on a stack of their own, whose schedules are on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from devstack.api import Airflow
from devstack.stack import Stack
from include.retail.tables import LINES, SALES
from include.sources.files import require_sources
from include.sources.tables import create_tables
from include.warehouse.connect import connect
from include.warehouse.digest import table_digest
from include.warehouse.schema import create_table
from include.weather.dataset import WEATHER_DATA
from tests.integration.runs.conftest import Make, copy_of_the_dags, maker, newest_mail, server, started

DAY = date(2010, 12, 21)
CHAIN = ("retail_validate", "retail_transform", "retail_report")
PATIENCE = 180

CONSUMER = '''"""Waits for the weather."""
import pendulum
from airflow.sdk import Asset, dag, task


@dag(
    schedule=[Asset("weather_data")],
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "me"},
    tags=["example"],
    doc_md=__doc__,
)
def weather_reader():
    @task
    def read(triggering_asset_events, dag_run):
        [events] = triggering_asset_events.values()
        assert dag_run.logical_date is None
        print(f"got {events[0].asset.name} with {events[0].extra}")

    read()


weather_reader()
'''


@pytest.fixture(scope="module")
def asset_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack whose schedules are on. Its DAGs are paused until one is run."""
    with started(tmp_path_factory.mktemp("stack"), copy_of_the_dags(tmp_path_factory), schedule=True) as stack:
        yield stack


def test_an_event_starts_the_dag_that_waits_for_it(asset_stack: Stack) -> None:
    path = asset_stack.dags / "weather_reader.py"
    path.write_text(CONSUMER)
    said = maker(asset_stack)("weather_reader", kind="asset", note="from a test")
    path.unlink()
    assert said.good, said.text
    assert "runs/asset_triggered__" in said.text
    assert "read success (try 1)" in said.text


def test_all_four_assets_start_the_marts_which_are_not_made_of_nothing(asset_stack: Stack) -> None:
    warehouse = server(asset_stack).uri("warehouse")
    create_tables(require_sources().values(), warehouse)
    with connect(warehouse) as session:
        create_table(session, WEATHER_DATA)
    said = maker(asset_stack)("analytics_dbt", kind="asset")
    assert not said.good
    assert "runs/asset_triggered__" in said.text
    assert "dbt_build failed (try 1)" in said.text, said.text
    assert "4 of 4 failed: source marketing_data: it was never loaded: run the DAG that loads it" in " ".join(
        said.text.split()
    )


def published(stack: Stack) -> list[str]:
    """Digests of what lies in the warehouse of the day."""
    with psycopg.connect(server(stack).uri("warehouse")) as session:
        return [table_digest(session, dataset, DAY) for dataset in (LINES, SALES)]


def ended(airflow: Airflow, dag_id: str, begun: datetime) -> dict[str, Any]:
    """The first run of a DAG that assets started after ``begun``, once it has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for run in airflow.runs_since(dag_id, begun, "asset_triggered"):
            if run["state"] in {"success", "failed"}:
                return run
        time.sleep(0.5)
    pytest.fail(f"no run of {dag_id} ended within {PATIENCE} s")


def test_one_dag_and_three_leave_the_same_rows_and_send_the_same_mail(
    make_run: Make, stack: Stack, asset_stack: Stack
) -> None:
    alone = make_run("retail_monolith", days=[DAY.isoformat()])
    assert alone.good, alone.text
    airflow, begun = Airflow.of(asset_stack.state), datetime.now(UTC)
    for dag_id in CHAIN:
        airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
    arrival = maker(asset_stack)("retail_arrival", DAY)
    assert arrival.good, arrival.text
    assert "nothing_came skipped" in arrival.text
    for dag_id in CHAIN:
        assert ended(airflow, dag_id, begun)["state"] == "success"
    assert published(asset_stack) == published(stack)
    subject, body = newest_mail(stack)
    assert subject.startswith("Retail sales: 47")
    assert f"<td>{DAY}</td>" in body
    assert newest_mail(asset_stack) == (subject, body)


@pytest.mark.parametrize("dag_id", CHAIN)
def test_make_run_publishes_what_a_dag_waits_for(asset_stack: Stack, dag_id: str) -> None:
    said = maker(asset_stack)(dag_id, kind="asset")
    assert said.good, said.text
    assert "runs/asset_triggered__" in said.text
