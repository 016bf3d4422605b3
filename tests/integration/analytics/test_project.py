"""The dbt project on a real PostgreSQL: built twice, incrementally and in full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from upath import UPath

from include.core.sources.files import require_sources
from include.core.sources.tables import create_tables
from include.core.storage import url_of
from include.core.warehouse.connect import connect
from include.core.warehouse.schema import create_table
from include.domains.analytics.export import export
from include.domains.analytics.invocation import command_line, environment
from include.domains.analytics.manifest import mart_names
from include.domains.analytics.results import errors, nodes, raise_failures, sources
from include.domains.sources import FOLDER
from include.domains.weather.datasets import WEATHER_DATA

LOAD = """
INSERT INTO load_log (load_id, dataset, partition_key, dag_id, task_id, run_id, map_index, try_number, rows_in, loaded,
    quarantined, changed, removed, complete, missing, digest, started_at, finished_at)
VALUES (%s, 'sales_data', %s, 'd', 't', 'r', -1, 1, 0, 0, 0, 0, 0, true, '{}', '', now(), now())
"""
SALE = """
INSERT INTO sales_data (day, invoice_no, stock_code, quantity, unit_price, invoiced_at, country, load_id, loaded_at)
VALUES (%s, %s, '22423', %s, %s, %s, 'Norway', %s, now())
"""

Dbt = Callable[..., None]


@pytest.fixture
def dbt(warehouse: str, tmp_path: Path) -> Dbt:
    """Run dbt commands and raise failures as a task does."""

    def run(*commands: list[str]) -> None:
        process = subprocess.run(
            command_line(commands, tmp_path),
            env=environment(warehouse, "analytics"),
            capture_output=True,
            text=True,
            check=False,
        )
        raise_failures([*sources(tmp_path), *(nodes(tmp_path).values() or errors(tmp_path))])
        assert process.returncode == 0, process.stdout

    return run


@pytest.fixture
def session(warehouse: str) -> Any:
    """The four source tables, with sales of two days."""
    create_tables(require_sources(FOLDER).values(), warehouse)
    with connect(warehouse) as session:
        create_table(session, WEATHER_DATA)
        session.execute(
            "INSERT INTO weather_data VALUES ('2024-06-01', 'London', 59, '°F', 'Rain', 'open_meteo', 1, now()),"
            " ('2024-06-02', 'London', 77, '°F', 'Clear', 'open_meteo', 1, now())"
        )
        for load, day, sales in (
            (1, "2010-12-20", [("539993", 2, "9.95"), ("C539994", -1, "9.95")]),
            (2, "2010-12-21", [("540000", 1, "5.00")]),
        ):
            _load(session, load, day, sales)
        yield session


def _load(session: Any, load: int, day: str, sales: list[tuple[str, int, str]]) -> None:
    session.execute("DELETE FROM sales_data WHERE day = %s", [day])
    session.execute(LOAD, [load, day])
    for invoice, quantity, price in sales:
        session.execute(SALE, [day, invoice, quantity, price, day, load])


def test_the_marts_follow_their_sources(dbt: Dbt, session: Any, warehouse: str, tmp_path: Path) -> None:
    dbt(["build"])
    assert _sales(warehouse) == [("2010-12-20", 1, 1, "19.90", "9.95"), ("2010-12-21", 1, 0, "5.00", "0")]
    [month] = _query(warehouse, "SELECT days, mean_celsius, wet_days FROM analytics.weather_months")
    assert month == (2, pytest.approx(20), 1)

    # One day is corrected to fewer rows, one loses all, one arrives late: only new loads are read.
    _load(session, 3, "2010-12-20", [("539993", 2, "9.95")])
    _load(session, 4, "2010-12-21", [])
    _load(session, 5, "2010-12-01", [("536365", 1, "2.55")])
    dbt(["build"])
    assert _sales(warehouse) == [
        ("2010-12-01", 1, 0, "2.55", "0"),
        ("2010-12-20", 1, 0, "19.90", "0"),
        ("2010-12-21", 0, 0, "0", "0"),
    ]
    incremental = _digest(warehouse)
    dbt(["build", "--full-refresh", "--exclude", "resource_type:snapshot"])
    assert _digest(warehouse) == incremental, "incremental and full build agree"

    folder = UPath(url_of(tmp_path)) / "files"
    assert export(warehouse, "analytics", mart_names(), folder) == {
        "campaign_results": 0,
        "daily_sales": 3,
        "support_resolution": 0,
        "weather_months": 1,
    }
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    export(warehouse, "analytics", mart_names(), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    table = pq.read_table(tmp_path / "files" / "daily_sales.parquet").to_pydict()
    assert [str(day) for day in table["day"]] == ["2010-12-01", "2010-12-20", "2010-12-21"]


def _query(warehouse: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(warehouse) as session:
        return session.execute(statement).fetchall()


def _sales(warehouse: str) -> list[tuple[Any, ...]]:
    return _query(
        warehouse,
        "SELECT day::text, invoices, cancellations, gross_amount::text, cancelled_amount::text"
        " FROM analytics.daily_sales ORDER BY day",
    )


def _digest(warehouse: str) -> list[tuple[Any, ...]]:
    return _query(warehouse, "SELECT md5(string_agg(d::text, '' ORDER BY day)) FROM analytics.daily_sales AS d")
