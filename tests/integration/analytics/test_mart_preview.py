"""A preview of the marts: built into a scratch schema, compared with the published ones, and dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.core.warehouse.connect import Session
from include.core.warehouse.preview.model import Changes, LoadPreview
from include.domains.analytics.manifest import mart_names
from include.domains.analytics.preview import COMMANDS, STALE, compare_marts, scratch_schema
from include.domains.analytics.results import DbtTestError
from tests.integration.analytics.conftest import Dbt, Query, load_sales

SCHEMAS = "SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^analytics' ORDER BY 1"
TABLES = """
    SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables
    WHERE table_schema ~ '^(analytics|public)' ORDER BY 1
"""


def content(query: Query) -> dict[str, Any]:
    """The rows of every table and view."""
    return {name: query(f"SELECT t::text FROM {name} AS t ORDER BY 1") for (name,) in query(TABLES)}  # noqa: S608


@pytest.fixture
def preview(dbt: Dbt, warehouse: str, tmp_path: Path) -> Any:
    """Preview a build; return the marts by name."""

    def run() -> dict[str, LoadPreview]:
        with scratch_schema(warehouse, "analytics") as scratch:
            dbt(*COMMANDS[1:], schema=scratch)  # the rows are too old to be fresh
            return {mart.dataset: mart for mart in compare_marts(warehouse, "analytics", scratch, tmp_path)}

    return run


def test_what_a_build_would_change_is_shown_and_nothing_is_written(
    dbt: Dbt, session: Session, query: Query, preview: Any
) -> None:
    first = preview()
    assert first.keys() == set(mart_names())
    assert first["daily_sales"].changes == Changes(added=2, changed=0, removed=0)
    assert query(SCHEMAS) == []

    dbt(["build"])

    # A corrected day, a late one, and a month of weather that is gone.
    load_sales(session, 3, "2010-12-20", [("539993", 2, "9.95")])
    load_sales(session, 4, "2010-12-01", [("536365", 1, "2.55")])
    session.execute("DELETE FROM weather_data")
    schemas, tables = query(SCHEMAS), content(query)
    marts = preview()
    assert (query(SCHEMAS), content(query)) == (schemas, tables)
    assert marts["daily_sales"].changes == Changes(added=1, changed=1, removed=0)
    assert marts["daily_sales"].columns == {"cancellations": 1, "cancelled_amount": 1}
    [changed] = marts["daily_sales"].examples.changed
    assert (changed.old["day"], changed.old["cancelled_amount"], changed.new["cancelled_amount"]) == (
        "2010-12-20", "9.95", "0",
    )  # fmt: skip
    assert marts["weather_months"].changes == Changes(added=0, changed=0, removed=1)
    assert marts["weather_months"].examples.removed[0]["city"] == "London"

    dbt(["build"])
    assert query("SELECT count(*) FROM analytics.daily_sales") == [(3,)], "the build changes what was shown"
    assert all(mart.changes == Changes(added=0, changed=0, removed=0) for mart in preview().values())


def test_the_scratch_schema_is_dropped_after_an_error(session: Session, query: Query, preview: Any) -> None:
    load_sales(session, 3, "2010-12-20", [("5", 2, "9.95")])
    old, young = "analytics_preview_20200101000000_00aa_intermediate", "analytics_preview_29990101000000_00aa"
    for name in (old, young, "analytics_preview_mine"):
        session.execute(f"CREATE SCHEMA {name}")
    assert STALE.days == 1
    with pytest.raises(DbtTestError, match="sales_data_invoice_no_is_valid of sales_data: Got 1 result"):
        preview()
    assert query(SCHEMAS) == [(young,), ("analytics_preview_mine",)]
