"""`make run AS=asset`: a DAG that waits for an asset is started by an event of it, as it would be in production."""

from __future__ import annotations

from devstack.stack import Stack
from include.sources.files import require_sources
from include.sources.tables import create_tables
from include.warehouse.connect import connect
from include.warehouse.schema import create_table
from include.weather.dataset import WEATHER_DATA
from tests.integration.runs.conftest import maker, server

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
    assert "check_freshness failed (try 1)" in said.text, said.text
    assert "4 of 4 failed: source marketing_data: the newest load" in " ".join(said.text.split())
