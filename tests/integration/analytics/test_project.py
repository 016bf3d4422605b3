"""The dbt project on a real PostgreSQL: built twice, incrementally and in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from upath import UPath

from include.core.storage import url_of
from include.core.warehouse.connect import Session
from include.domains.analytics.export import export
from include.domains.analytics.manifest import mart_names
from tests.integration.analytics.conftest import Dbt, Query, load_sales


def test_the_marts_follow_their_sources(
    dbt: Dbt, session: Session, query: Query, warehouse: str, tmp_path: Path
) -> None:
    dbt(["build"])
    assert _sales(query) == [("2010-12-20", 1, 1, "19.90", "9.95"), ("2010-12-21", 1, 0, "5.00", "0")]
    [month] = query("SELECT days, mean_celsius, wet_days, missing_days FROM analytics.weather_months")
    assert month == (2, pytest.approx(20), 1, "2024-06-03, 2024-06-04")

    # One day is corrected to fewer rows, one loses all, one arrives late: only new loads are read.
    load_sales(session, 3, "2010-12-20", [("539993", 2, "9.95")])
    load_sales(session, 4, "2010-12-21", [])
    load_sales(session, 5, "2010-12-01", [("536365", 1, "2.55")])
    dbt(["build"])
    assert _sales(query) == [
        ("2010-12-01", 1, 0, "2.55", "0"),
        ("2010-12-20", 1, 0, "19.90", "0"),
        ("2010-12-21", 0, 0, "0", "0"),
    ]
    incremental = _digest(query)
    dbt(["build", "--full-refresh", "--exclude", "resource_type:snapshot"])
    assert _digest(query) == incremental, "incremental and full build agree"

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


def _sales(query: Query) -> list[tuple[Any, ...]]:
    return query(
        "SELECT day::text, invoices, cancellations, gross_amount::text, cancelled_amount::text"
        " FROM analytics.daily_sales ORDER BY day",
    )


def _digest(query: Query) -> list[tuple[Any, ...]]:
    return query("SELECT md5(string_agg(d::text, '' ORDER BY day)) FROM analytics.daily_sales AS d")
