"""customer_report on the sample API: its totals, and how often the API is called."""

from __future__ import annotations

import csv
import datetime as dt
import secrets
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from airflow.sdk import Connection
from upath import UPath

from devstack.upstreams.apis.sources import SALES as UPSTREAM
from devstack.upstreams.client import Control
from devstack.upstreams.records import DATA
from include.core.cache import INLINE, Cache
from include.core.errors import PermanentUpstreamError
from include.core.replay import Rows
from include.core.sources.client import SourceClient
from include.core.sources.errors import PublishGateError
from include.core.sources.files import require_sources
from include.core.sources.model import Source
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.errors import SupersededError
from include.domains.customers import data, purchases, report
from include.domains.customers.data import get_customer_data
from include.domains.sources import FOLDER

DAY = dt.date(2010, 12, 20)
SALES = require_sources(FOLDER)["sales"]


@pytest.fixture
def cache(warehouse: str, tmp_path: Path) -> Cache:
    return Cache("customers", warehouse, UPath(url_of(tmp_path)))


@pytest.fixture
def client(upstreams: str, cache: Cache) -> SourceClient:
    limits = SALES.limits.model_copy(update={"calls_per_minute": 10_000, "deadline": 2})
    connection = Connection(conn_id=f"sources_{secrets.token_hex(4)}", host=upstreams)
    return SourceClient.of(connection, SALES.model_copy(update={"limits": limits}), cache.uri)


def test_the_report_equals_the_recorded_sales(cache: Cache, client: SourceClient) -> None:
    entry = get_customer_data(cache, client, DAY)
    assert len(entry.content) > INLINE
    attempt = Attempt("customer_report", "publish_report", "run", 1)
    result = report.publish(entry.content, DAY, entry.created_at, cache.uri, attempt)
    with (DATA / "retail" / f"online_retail_{DAY}.csv").open(encoding="utf-8", newline="") as file:
        unique = {tuple(row.values()): row for row in csv.DictReader(file) if row["CustomerID"]}.values()
    expected: defaultdict[int, Decimal] = defaultdict(Decimal)
    for row in unique:
        expected[int(float(row["CustomerID"]))] += int(row["Quantity"]) * Decimal(row["UnitPrice"])
    with psycopg.connect(cache.uri) as session:
        rows = session.execute("SELECT customer_id, revenue FROM customer_report").fetchall()
        [(cancelled,)] = session.execute("SELECT sum(cancelled) FROM customer_report").fetchall()
    assert dict(rows) == expected
    assert cancelled == len({row["InvoiceNo"] for row in unique if row["InvoiceNo"].startswith("C")})
    again = report.publish(entry.content, DAY, entry.created_at, cache.uri, attempt)
    assert (again.digest, again.changed) == (result.digest, 0)
    with pytest.raises(SupersededError):
        report.publish(entry.content, DAY, entry.created_at - dt.timedelta(hours=3), cache.uri, attempt)


def test_a_day_with_an_invalid_row_is_refused(client: SourceClient) -> None:
    row = {"InvoiceNo": "536365", "StockCode": "22423", "Description": None, "Quantity": 1, "UnitPrice": "1.5"}
    row |= {"InvoiceDate": "2010-12-20T09:00:00", "CustomerID": 17850, "Country": "Norway"}
    rows = [row, row, row | {"StockCode": "22424", "Quantity": "many"}]
    with pytest.raises(PublishGateError, match=r"2010-12-20: 1 row\(s\) are invalid, .* First: line 3: quantity"):
        purchases.purchases_of(client.source, DAY, Rows(rows, None))
    assert purchases.purchases_of(client.source, DAY, Rows(rows[:2], None)).count(b"\n") == 1, "copies are ignored"


def test_a_replayed_day_stays_labelled_in_the_cache(cache: Cache, client: SourceClient, control: Control) -> None:
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    get_customer_data(cache, client, yesterday)
    control.reset()
    entry = get_customer_data(cache, client, yesterday)
    assert control.requests() == []
    report.publish(entry.content, yesterday, entry.created_at, cache.uri, Attempt("customer_report", "p", "run", 1))
    with psycopg.connect(cache.uri) as session:
        [(day, replayed)] = session.execute(
            "SELECT DISTINCT day, replayed_from FROM customer_report JOIN load_log USING (load_id)"
        ).fetchall()
    assert (day, replayed) == (yesterday, UPSTREAM.recorded_day(yesterday))


def test_the_api_is_called_once_for_each_day_contract_and_code(
    cache: Cache, client: SourceClient, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request_count(day: dt.date = DAY, source: Source = SALES) -> int:
        control.reset()
        get_customer_data(cache, replace(client, source=source), day)
        return len(control.requests(path="/sales"))

    assert [request_count(), request_count()] == [4, 0]
    assert [request_count(dt.date(2010, 12, 22)), request_count()] == [1, 0]
    assert request_count(source=SALES.model_copy(update={"max_bad_share": 0.06})) == 4
    monkeypatch.setattr(data, "code_version", lambda *modules: f"edited {len(modules)}")
    assert [request_count(), request_count()] == [4, 0]


def test_an_outage_is_bridged_but_a_refusal_is_not(cache: Cache, client: SourceClient, control: Control) -> None:
    first = get_customer_data(cache, client, DAY)
    with psycopg.connect(cache.uri) as session:
        session.execute("UPDATE cache_entry SET created_at = created_at - interval '7 hours'")
    with control.scenario("server_error", path="/sales", status=503):
        entry = get_customer_data(cache, client, DAY)
    assert (entry.outcome, entry.content) == ("stale", first.content)
    with (
        control.scenario("client_error", path="/sales", status=401),
        pytest.raises(PermanentUpstreamError, match="answered 401"),
    ):
        get_customer_data(cache, client, DAY, refresh=True)
