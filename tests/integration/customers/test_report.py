"""customer_report on the sample API: what it adds up to, and how often the API is asked."""

from __future__ import annotations

import csv
import datetime as dt
import secrets
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from upath import UPath

from devstack.upstreams.apis.sources import SALES as UPSTREAM
from devstack.upstreams.client import Control
from devstack.upstreams.records import DATA
from include.core.cache import INLINE, Cache
from include.core.errors import PermanentUpstreamError
from include.core.sources.files import require_sources
from include.core.sources.model import Source
from include.core.sources.upstream import Login
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.domains.customers import data, report
from include.domains.customers.data import get_customer_data
from include.domains.sources import FOLDER

DAY = dt.date(2010, 12, 20)
SALES = require_sources(FOLDER)["sales"]


@pytest.fixture
def cache(warehouse: str, tmp_path: Path) -> Cache:
    return Cache("customers", warehouse, UPath(url_of(tmp_path)))


@pytest.fixture
def login(upstreams: str) -> Login:
    extra = {"calls_per_minute": 10_000, "deadline": 2}
    return Login(f"sources_{secrets.token_hex(4)}", upstreams, None, None, None, extra)


def test_the_report_is_what_was_recorded(cache: Cache, login: Login) -> None:
    found = get_customer_data(cache, login, SALES, DAY)
    assert len(found.content) > INLINE
    attempt = Attempt("customer_report", "publish_report", "run", 1)
    result = report.publish(found.content, DAY, found.created_at, cache.uri, attempt)
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
    again = report.publish(found.content, DAY, found.created_at, cache.uri, attempt)
    assert (again.digest, again.changed) == (result.digest, 0)


def test_a_replayed_day_stays_labelled_in_the_cache(cache: Cache, login: Login, control: Control) -> None:
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    get_customer_data(cache, login, SALES, yesterday)
    control.reset()
    found = get_customer_data(cache, login, SALES, yesterday)
    assert control.requests() == []
    report.publish(found.content, yesterday, found.created_at, cache.uri, Attempt("customer_report", "p", "run", 1))
    with psycopg.connect(cache.uri) as session:
        [(day, replayed)] = session.execute(
            "SELECT DISTINCT day, replayed_from FROM customer_report JOIN load_log USING (load_id)"
        ).fetchall()
    assert (day, replayed) == (yesterday, UPSTREAM.recorded_day(yesterday))


def test_the_api_is_asked_once_for_each_day_contract_and_code(
    cache: Cache, login: Login, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(day: dt.date = DAY, source: Source = SALES) -> int:
        control.reset()
        get_customer_data(cache, login, source, day)
        return len(control.requests(path="/sales"))

    assert [asked(), asked()] == [4, 0]
    assert [asked(dt.date(2010, 12, 22)), asked()] == [1, 0]
    assert asked(source=SALES.model_copy(update={"max_bad_share": 0.06})) == 4
    monkeypatch.setattr(data, "code_version", lambda *modules: f"edited {len(modules)}")
    assert [asked(), asked()] == [4, 0]


def test_an_outage_is_bridged_a_refusal_is_not(cache: Cache, login: Login, control: Control) -> None:
    first = get_customer_data(cache, login, SALES, DAY)
    with psycopg.connect(cache.uri) as session:
        session.execute("UPDATE cache_entry SET created_at = created_at - interval '7 hours'")
    with control.scenario("server_error", path="/sales", status=503):
        found = get_customer_data(cache, login, SALES, DAY)
    assert (found.outcome, found.content) == ("stale", first.content)
    with (
        control.scenario("client_error", path="/sales", status=401),
        pytest.raises(PermanentUpstreamError, match="answered 401"),
    ):
        get_customer_data(cache, login, SALES, DAY, refresh=True)
