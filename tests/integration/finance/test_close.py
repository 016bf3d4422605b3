"""The close on sales as recorded."""

from __future__ import annotations

import csv
import datetime as dt
import json
from decimal import Decimal

import psycopg
import pytest

from devstack.upstreams.records import DATA
from include.core.sources.dataset import dataset_of
from include.core.sources.files import require_sources
from include.core.sources.rows import split_rows
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.calendar import EVERY_DAY, Calendar
from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from include.domains.finance import close
from include.domains.sources import FOLDER

MONTH = dt.date(2010, 12, 1)
DAY = dt.date(2010, 12, 22)
LOAD_THE_OTHER_DAYS = """
INSERT INTO load_log (dataset, partition_key, dag_id, task_id, run_id, map_index, try_number, rows_in, loaded,
    quarantined, changed, removed, complete, missing, digest, started_at, finished_at)
SELECT 'sales_data', to_char(day, 'YYYY-MM-DD'), '', '', '', -1, 1, 0, 0, 0, 0, 0, true, '{}', '', now(), now()
FROM generate_series('2010-12-01', '2010-12-31', interval '1 day') AS day WHERE day <> '2010-12-22'
"""
SAMPLE = dt.date(2010, 12, 1)


def attempt(number: int) -> Attempt:
    return Attempt("process_finance_data", "close_month", "run", number)


def test_a_month_without_sales_is_refused(warehouse: str) -> None:
    with pytest.raises(close.NothingToCloseError, match="sales_data has no rows for 2010-12: run process_sales_data"):
        close.check(warehouse, MONTH, EVERY_DAY, partial=True)


def load_day(warehouse: str) -> list[dict[str, str]]:
    """Load a recorded day of sales, and return its lines."""
    source = require_sources(FOLDER)["sales"]
    with (DATA / "retail" / f"online_retail_{DAY}.csv").open(encoding="utf-8", newline="") as file:
        recorded = list(csv.DictReader(file))
    numbers = ("Quantity", "UnitPrice", "CustomerID")
    lines = [json.dumps(row | {name: float(row[name]) if row[name] else None for name in numbers}) for row in recorded]
    good, _ = split_rows(source, DAY, lines, "file")
    with connect(warehouse) as session:
        create_table(session, dataset_of(source))
        load(session, dataset_of(source), partition=DAY, rows=good, attempt=attempt(0), replayed_from=SAMPLE)
    return recorded


def test_a_month_with_missing_days_is_refused_or_marked(warehouse: str) -> None:
    load_day(warehouse)
    named = r"sales_data: 30 not loaded \(2010-12-01 to 2010-12-21, 2010-12-23 to 2010-12-31\)"
    for step in (
        lambda: close.check(warehouse, MONTH, EVERY_DAY, partial=False),
        lambda: close.close(warehouse, MONTH, EVERY_DAY, attempt(1)),
    ):
        with pytest.raises(close.MissingDaysError, match=f"2010-12 isn't closed, because days are missing in {named}"):
            step()
    with psycopg.connect(warehouse) as session:
        assert session.execute("SELECT to_regclass('finance_revenue')").fetchone() == (None,)
    assert len(close.check(warehouse, MONTH, EVERY_DAY, partial=True).partitions) == 30
    result = close.close(warehouse, MONTH, EVERY_DAY, attempt(2), partial=True)
    assert (result.complete, result.missing) == (False, (named.replace("\\", ""),))
    with psycopg.connect(warehouse) as session:
        session.execute(LOAD_THE_OTHER_DAYS)
        session.execute("DELETE FROM sales_data WHERE country = 'France'")
    assert close.close(warehouse, MONTH, EVERY_DAY, attempt(3)).complete
    close.reconcile(warehouse, MONTH)


def test_a_day_whose_last_load_was_incomplete_is_missing(warehouse: str) -> None:
    load_day(warehouse)
    with psycopg.connect(warehouse) as session:
        session.execute("UPDATE load_log SET complete = false")
    with pytest.raises(close.MissingDaysError, match=r"30 not loaded .*, 1 incomplete \(2010-12-22\)"):
        close.check(warehouse, MONTH, EVERY_DAY, partial=False)


def test_a_day_without_sales_needs_no_load(warehouse: str) -> None:
    load_day(warehouse)
    others = tuple(f"12-{day:02}" for day in range(1, 32) if day != DAY.day)
    assert not close.check(warehouse, MONTH, Calendar(no_data_on=others), partial=False)


def test_revenue_by_country(warehouse: str) -> None:
    recorded = load_day(warehouse)
    first = close.close(warehouse, MONTH, EVERY_DAY, attempt(1), partial=True)
    again = close.close(warehouse, MONTH, EVERY_DAY, attempt(2), partial=True)
    assert (first.digest, again.changed) == (again.digest, 0)
    with psycopg.connect(warehouse) as session:
        assert session.execute("SELECT DISTINCT replayed_from FROM load_log").fetchall() == [(SAMPLE,)]
        [(revenue, cancelled)] = session.execute("SELECT sum(revenue), sum(cancelled) FROM finance_revenue").fetchall()
    unique = {tuple(row.values()): row for row in recorded}.values()
    assert revenue == sum(int(row["Quantity"]) * Decimal(row["UnitPrice"]) for row in unique)
    assert cancelled == len({row["InvoiceNo"] for row in unique if row["InvoiceNo"].startswith("C")})
    close.reconcile(warehouse, MONTH)
    with psycopg.connect(warehouse) as session:
        session.execute("UPDATE sales_data SET quantity = quantity + 1 WHERE country = 'France'")
    with pytest.raises(close.RevenueMismatchError, match=r"2010-12: France: published \d+\.\d+, lines \d+\.\d+"):
        close.reconcile(warehouse, MONTH)
