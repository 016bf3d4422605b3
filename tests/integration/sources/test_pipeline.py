"""Each source against the sample upstreams' recorded data, and against upstreams that misbehave."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk import Connection
from upath import UPath

from devstack.upstreams.apis.sources import SOURCES
from devstack.upstreams.client import Control
from devstack.upstreams.records import DATA
from include.core.errors import (
    ConfigurationError,
    ForbiddenAddressError,
    PermanentUpstreamError,
    TransientUpstreamError,
)
from include.core.sources import pipeline
from include.core.sources.client import SourceClient
from include.core.sources.dataset import dataset_of
from include.core.sources.errors import PublishGateError
from include.core.sources.files import load_source, require_sources
from include.core.sources.tables import create_tables
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.digest import table_digest
from include.core.warehouse.errors import IncompleteLoadError, LoadError, SchemaMismatchError, SupersededError
from include.domains.sources import FOLDER
from tests.integration.sources.conftest import Run

SALES = load_source(FOLDER / "sales.yaml")
DAY = date(2010, 12, 20)
RETAIL_DAYS = [date(2010, 12, day) for day in (1, 19, 20, 21, 22)]

Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def query(warehouse: str) -> Query:
    def execute(statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(warehouse) as session:
            return session.execute(statement, values).fetchall()

    return execute


def test_sales_as_recorded(run: Run, query: Query) -> None:
    results = run("sales", *RETAIL_DAYS)
    assert [(result.rows_in, result.quarantined) for result in results] == [
        (3108, 44), (522, 20), (1763, 3), (1586, 2), (291, 1),
    ]  # fmt: skip
    assert all(result.complete for result in results)
    recorded = set()
    for path in (DATA / "retail").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as lines:
            recorded |= {tuple(row.values()) for row in csv.DictReader(lines)}
    assert query("SELECT count(*), sum(quantity) FROM sales_data") == [
        (len(recorded), sum(int(row[3]) for row in recorded))
    ]
    [(customers, cancelled, free)] = query(
        "SELECT count(customer_id), count(*) FILTER (WHERE starts_with(invoice_no, 'C')),"
        " count(*) FILTER (WHERE unit_price = 0) FROM sales_data"
    )
    assert customers == sum(bool(row[6]) for row in recorded)
    assert cancelled == sum(row[0].startswith("C") for row in recorded)
    assert free == sum(float(row[5]) == 0 for row in recorded)
    [(reason, row)] = query("SELECT reason, source_row FROM quarantine WHERE partition_key = '2010-12-22'")
    assert "copy of line" in reason
    assert row["row"]["CustomerID"] == "(personal data)"
    assert row["file"].endswith("/sources/sales/day=2010-12-22/run.raw.jsonl")
    assert (
        json.loads(Path(row["file"].removeprefix("file://")).read_text().splitlines()[row["line"] - 1])["StockCode"]
        == (row["row"]["StockCode"])
    )


def test_a_day_that_was_requested_earlier_and_is_loaded_later_is_superseded(
    connection: Connection, warehouse: str, tmp_path: Path, query: Query
) -> None:
    client = SourceClient.of(connection, SALES, warehouse)
    early, late = (
        pipeline.process(SALES, [UPath(file) for file in pipeline.extract(client, UPath(tmp_path), days, run_id)])
        for run_id, days in (("early", [DAY, DAY + timedelta(days=1)]), ("late", [DAY]))
    )
    for raw, run_id in ((late, "late"), (early, "early")):
        pipeline.load(SALES, [UPath(file) for file in raw], warehouse, Attempt(SALES.dag_id, "load", run_id, 1))
    loads = query("SELECT partition_key, run_id, requested_at IS NOT NULL FROM load_log ORDER BY load_id")
    assert loads == [("2010-12-20", "late", True), ("2010-12-21", "early", True)]
    with pytest.raises(
        SupersededError, match=r"sales_data, partition 2010-12-20: .* \(process_sales_data\.load, late\)"
    ):
        pipeline.load(SALES, [UPath(early[0])], warehouse, Attempt(SALES.dag_id, "load", "early", 2))


def test_an_invalid_row_rejects_its_invoice_and_marks_the_day(warehouse: str, tmp_path: Path, query: Query) -> None:
    rows = [
        {"InvoiceNo": f"5363{number}", "StockCode": "22423", "Quantity": 1, "InvoiceDate": "2010-12-20T09:00:00",
         "UnitPrice": "1.5", "Country": "Norway"}
        for number in range(10, 70)
    ]  # fmt: skip
    raw = UPath(tmp_path / "day=2010-12-20" / "run.raw.jsonl")
    raw.parent.mkdir()
    raw.write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, rows[0], rows[1] | {"StockCode": "", "Quantity": 2}])
    )
    pipeline.process(SALES, [raw])
    pipeline.check(SALES, [raw])
    with pytest.raises(IncompleteLoadError, match=r"missing: invoice_no 536311\. 59 of 62 row"):
        pipeline.load(SALES, [raw], warehouse, Attempt(SALES.dag_id, "load", "run", 1))
    assert query("SELECT count(*) FROM sales_data WHERE invoice_no = '536311'") == [(0,)]
    assert query("SELECT count(*) FROM sales_data WHERE invoice_no = '536310'") == [(1,)], "its copy loses nothing"


def test_rows_that_the_warehouse_refuses_pass_the_same_gate(run: Run, warehouse: str, query: Query) -> None:
    support = date(2025, 3, 9)
    create_tables([load_source(FOLDER / "support.yaml")], warehouse)
    with psycopg.connect(warehouse) as session:
        session.execute("ALTER TABLE support_data ADD CONSTRAINT no_dogs CHECK (descriptor !~ 'Dog')")
    [result] = run("support", support, max_bad_share=0.9)
    assert result.quarantined
    rows = query("SELECT source_row, reason FROM quarantine")
    assert {reason for _, reason in rows} == {"the warehouse refuses the row (constraint no_dogs)"}
    assert {row["incident_zip"] for row, _ in rows} <= {"(personal data)", None}
    for row, _ in rows:
        file = Path(row["file"].removeprefix("file://"))
        assert json.loads(file.read_text().splitlines()[row["line"] - 1])["descriptor"] == row["descriptor"]
    with pytest.raises(LoadError, match=r"rows are invalid .*; allowed: 1.0%. Nothing was written"):
        run("support", support, attempt=2)


def test_marketing_as_recorded(run: Run, query: Query) -> None:
    results = run("marketing", *(date(2010, 12, day) for day in range(1, 23)))
    assert sum(result.loaded for result in results) == 4119
    assert query("SELECT count(*) FROM marketing_data WHERE subscribed = 'yes'") == [(451,)]
    assert query("SELECT count(*) FROM marketing_data WHERE job = 'unknown'") == [(0,)]


def test_support_times_are_converted_from_new_york_time(run: Run, query: Query) -> None:
    [result] = run("support", date(2025, 3, 9))
    assert result.complete
    times = {row[0]: row[1] for row in query("SELECT created_at, closed_at FROM support_data")}
    assert datetime(2025, 3, 9, 6, 36, tzinfo=UTC) in times, "01:36 was five hours behind UTC"
    assert datetime(2025, 3, 9, 7, 55, tzinfo=UTC) in times, "03:55 is four"
    assert query("SELECT count(*) FROM support_data WHERE descriptor = 'N/A'") == [(0,)]


def test_every_day_of_support_is_loaded_whatever_the_order(run: Run, warehouse: str) -> None:
    days = [date(2025, 3, day) for day in range(7, 12)]
    run("support", *days)
    with connect(warehouse) as session:
        before = table_digest(session, dataset_of(load_source(FOLDER / "support.yaml")))
    results = run("support", *reversed(days), attempt=2)
    assert {result.changed for result in results} == {0}
    with connect(warehouse) as session:
        assert table_digest(session, dataset_of(load_source(FOLDER / "support.yaml"))) == before


@pytest.mark.parametrize("name", ["sales", "marketing", "support"])
def test_a_replayed_day_is_loaded_as_the_requested_day_and_labelled(
    run: Run, query: Query, control: Control, tmp_path: Path, name: str
) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    [result] = run(name, yesterday)
    assert result.complete
    [(day, recorded)] = query(
        f"SELECT DISTINCT day, replayed_from FROM {name}_data JOIN load_log USING (load_id)"  # noqa: S608
    )
    assert (day, recorded in recorded_days(name)) == (yesterday, True)
    [label] = tmp_path.rglob("*.replayed")
    assert label.read_text() == recorded.isoformat()
    [recorded_result] = run(name, recorded, attempt=2)
    assert (recorded_result.rows_in, recorded_result.quarantined) == (result.rows_in, result.quarantined)
    assert list(tmp_path.rglob("*.replayed")) == [label]
    assert query("SELECT replayed_from FROM load_log ORDER BY load_id") == [(recorded,), (None,)]
    assert query(f"SELECT count(*) FROM {name}_data") == [(result.loaded + recorded_result.loaded,)]  # noqa: S608
    assert control.requests(path=f"/{name}")


def recorded_days(name: str) -> set[date]:
    return set(next(source for source in SOURCES if source.name == name).load())


PASSING = [
    ("rate_limited", {"retry_after": 1}, 1),
    ("server_error", {}, 1),
    ("connection_reset", {}, 1),
    ("cut_json", {}, 1),
    ("redirect", {}, 1),
    ("extra_field", {}, None),
]


@pytest.mark.parametrize(("scenario", "options", "times"), PASSING)
def test_a_fault_that_passes_does_not_change_the_rows(
    run: Run, control: Control, scenario: str, options: dict[str, Any], times: int | None
) -> None:
    with control.scenario(scenario, path="/sales", times=times, **options) as rule:
        [result] = run("sales", DAY)
        assert rule.played
    assert (result.loaded, result.quarantined) == (1760, 3)


FAILING: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("client_error", {"status": 403}, PermanentUpstreamError, "these credentials lack the permission"),
    ("server_error", {}, TransientUpstreamError, "answered 500"),
    ("oversized", {"megabytes": 6}, PermanentUpstreamError, "larger than 5000000 bytes"),
    ("redirect", {"to": "http://169.254.169.254/"}, ForbiddenAddressError, "169.254.169.254:80 may not be called"),
    ("next_link", {}, ForbiddenAddressError, "169.254.169.254:80 may not be called"),
    ("next_link", {"to": "//evil.test/sales"}, ForbiddenAddressError, "evil.test:80 may not be called"),
    ("wrong_total", {}, TransientUpstreamError, "1764 rows announced, 1763 received"),
    ("duplicate_rows", {}, TransientUpstreamError, "1763 rows announced, 1767 received"),
    ("missing_city", {}, TransientUpstreamError, "1763 rows announced, 0 received"),
    ("wrong_types", {}, PublishGateError, r"100.0%\); allowed: 5.0%"),
    ("nan", {"fields": "Quantity"}, PublishGateError, "1763 x quantity: must be a finite number"),
    ("null_values", {"fields": "UnitPrice"}, PublishGateError, "1763 x unit_price: a value is missing"),
    ("out_of_range", {}, PublishGateError, "1763 x unit_price: must be at least 0"),
    ("stale_date", {}, PublishGateError, "invoiced_at: must lie on 2010-12-20"),
]


@pytest.mark.parametrize(
    ("scenario", "options", "error", "message"),
    FAILING,
    ids=[f"{case[0]}-{number}" for number, case in enumerate(FAILING)],
)
def test_a_fault_that_persists_keeps_the_loaded_rows(
    run: Run,
    control: Control,
    query: Query,
    scenario: str,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    run("sales", date(2010, 12, 22))
    before = query("SELECT count(*), max(load_id) FROM sales_data")
    with control.scenario(scenario, path="/sales", **options), pytest.raises(error, match=message) as caught:
        run("sales", DAY, attempt=2)
    assert "sales" in str(caught.value) or error is ForbiddenAddressError
    assert query("SELECT count(*), max(load_id) FROM sales_data") == before


def test_a_day_without_rows_is_refused_unless_the_contract_allows_it(run: Run, tmp_path: Path, warehouse: str) -> None:
    quiet = SALES.model_copy(update={"minimum_rows": 0})
    run("sales", DAY)
    file = UPath(tmp_path / "sources" / "sales" / f"day={DAY}" / "empty.raw.jsonl")
    file.write_bytes(b"")
    pipeline.process(SALES, [file])
    pipeline.check(SALES, [file])
    attempt = Attempt(SALES.dag_id, "load", "empty", 1)
    with pytest.raises(LoadError, match=r"at least 1 row\(s\) are expected"):
        pipeline.load(SALES, [file], warehouse, attempt)
    [result] = pipeline.load(quiet, [file], warehouse, attempt)
    assert (result.loaded, result.removed) == (0, 1760)


def test_more_rows_than_the_contract_allows_are_refused(run: Run) -> None:
    few = SALES.limits.model_copy(update={"rows": 1000})
    with pytest.raises(PermanentUpstreamError, match=r"more than 1000 rows; .* raise limits.rows in sales.yaml"):
        run("sales", DAY, limits=few)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"host": ""}, "host: empty"),
        ({"host": "ftp://x"}, r"host: 'ftp://x' isn't a URL"),
        ({"extra": {"X-Tenant": 7}}, r"extra.X-Tenant: 7 isn't a string"),
        (
            {"extra": {"allowed_hosts": ["https://b.test"], "deadline": 9, "calls_per_minute": 6}},
            r"extra: .* as headers\. Remove .* in sales\.yaml: allowed_hosts is api\.allowed_hosts, calls",
        ),
    ],
)
def test_a_wrong_connection_is_named(warehouse: str, change: dict[str, Any], message: str) -> None:
    fields = {"host": "https://api.test"} | change
    connection = Connection.from_json(json.dumps(fields), conn_id="sources_x")
    with pytest.raises(ConfigurationError, match=rf"connection 'sources_x': {message}"):
        SourceClient.of(connection, SALES, warehouse)


def test_the_tables_of_all_sources(warehouse: str, query: Query) -> None:
    sources = require_sources(FOLDER).values()
    create_tables(sources, warehouse)
    create_tables(sources, warehouse)
    with connect(warehouse) as session:
        session.execute("ALTER TABLE sales_data ADD COLUMN surprise int")
    with pytest.raises(SchemaMismatchError, match="surprise: declared not at all, found integer"):
        create_tables(sources, warehouse)
    [(comment,)] = query("SELECT col_description('sales_data'::regclass, 8)")
    assert comment == "Empty without an account (personal data)"
