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
from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from include.domains.finance import close
from include.domains.sources import FOLDER

MONTH = dt.date(2010, 12, 1)
DAY = dt.date(2010, 12, 22)
SAMPLE = dt.date(2010, 12, 1)


def attempt(number: int) -> Attempt:
    return Attempt("process_finance_data", "close_month", "run", number)


def test_a_month_without_sales_is_refused(warehouse: str) -> None:
    with pytest.raises(close.NothingToCloseError, match="sales_data has no rows for 2010-12: run process_sales_data"):
        close.days_loaded(warehouse, MONTH)


def test_revenue_by_country(warehouse: str) -> None:
    source = require_sources(FOLDER)["sales"]
    with (DATA / "retail" / f"online_retail_{DAY}.csv").open(encoding="utf-8", newline="") as file:
        recorded = list(csv.DictReader(file))
    numbers = ("Quantity", "UnitPrice", "CustomerID")
    lines = [json.dumps(row | {name: float(row[name]) if row[name] else None for name in numbers}) for row in recorded]
    good, _ = split_rows(source, DAY, lines, "file")
    with connect(warehouse) as session:
        create_table(session, dataset_of(source))
        load(session, dataset_of(source), partition=DAY, rows=good, attempt=attempt(0), replayed_from=SAMPLE)
    assert close.days_loaded(warehouse, MONTH) == 1
    first = close.close(warehouse, MONTH, attempt(1))
    again = close.close(warehouse, MONTH, attempt(2))
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
