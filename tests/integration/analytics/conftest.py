"""The dbt project on a warehouse with sales of two days."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.core.sources.files import require_sources
from include.core.sources.tables import create_tables
from include.core.warehouse.connect import Session, connect
from include.core.warehouse.schema import create_table
from include.domains.analytics.invocation import command_line, environment
from include.domains.analytics.results import errors, nodes, raise_failures, sources
from include.domains.sources import FOLDER
from include.domains.weather.datasets import WEATHER_DATA

LOAD = """
INSERT INTO load_log (load_id, dataset, partition_key, dag_id, task_id, run_id, map_index, try_number, rows_in, loaded,
    quarantined, changed, removed, complete, missing, digest, started_at, finished_at)
VALUES (%s, %s, %s, 'd', 't', 'r', -1, 1, 0, 0, 0, 0, 0, %s, '{}', '', now(), now())
"""
SALE = """
INSERT INTO sales_data (day, invoice_no, stock_code, quantity, unit_price, invoiced_at, country, load_id, loaded_at)
VALUES (%s, %s, '22423', %s, %s, %s, 'Norway', %s, now())
"""

Dbt = Callable[..., None]
Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def dbt(warehouse: str, tmp_path: Path) -> Dbt:
    """Run dbt commands and raise failures as a task does."""

    def run(*commands: list[str], schema: str = "analytics") -> None:
        process = subprocess.run(
            command_line(commands, tmp_path),
            env=environment(warehouse, schema),
            capture_output=True,
            text=True,
            check=False,
        )
        raise_failures([*sources(tmp_path), *(nodes(tmp_path).values() or errors(tmp_path))])
        assert process.returncode == 0, process.stdout

    return run


@pytest.fixture
def session(warehouse: str) -> Iterator[Session]:
    """The four source tables, with sales of two days, and weather of two of the first four days of June."""
    create_tables(require_sources(FOLDER).values(), warehouse)
    with connect(warehouse) as session:
        create_table(session, WEATHER_DATA)
        session.execute(
            "INSERT INTO weather_data VALUES ('2024-06-01', 'London', 59, '°F', 'Rain', 'open_meteo', 1, now()),"
            " ('2024-06-02', 'London', 77, '°F', 'Clear', 'open_meteo', 1, now())"
        )
        for load, day_of_june, is_complete in ((101, 1, True), (102, 2, True), (103, 4, False)):
            session.execute(LOAD, [load, "weather_data", f"2024-06-0{day_of_june}", is_complete])
        for load, day, sales in (
            (1, "2010-12-20", [("539993", 2, "9.95"), ("C539994", -1, "9.95")]),
            (2, "2010-12-21", [("540000", 1, "5.00")]),
        ):
            load_sales(session, load, day, sales)
        yield session


def load_sales(session: Session, load: int, day: str, sales: list[tuple[str, int, str]]) -> None:
    session.execute("DELETE FROM sales_data WHERE day = %s", [day])
    session.execute(LOAD, [load, "sales_data", day, True])
    for invoice, quantity, price in sales:
        session.execute(SALE, [day, invoice, quantity, price, day, load])


@pytest.fixture
def query(warehouse: str) -> Query:
    def execute(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(warehouse) as session:
            return session.execute(statement).fetchall()

    return execute
