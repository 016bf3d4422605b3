"""Answers of a source's API, from the wire to the table: exact numbers, errors with status 200, endless pages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk import Connection

from include.core.errors import ForbiddenAddressError, PermanentUpstreamError, TransientUpstreamError
from include.core.sources.client import SourceClient
from include.core.sources.model import Source
from tests.integration.http.answers import Answer, answering
from tests.integration.sources.conftest import Run

DAY = date(2024, 6, 1)
SOURCE = Source.model_validate(
    {
        "name": "values",
        "description": "Numbers of an API.",
        "owner": "data",
        "schedule": "0 6 * * *",
        "start_date": "2024-01-01",
        "path": "/values",
        "key": ["id"],
        "columns": {"id": {"type": "integer"}, "v": {"type": "decimal"}},
        "max_bad_share": 0.5,
        "limits": {"rows": 20, "page_size": 10, "calls_per_minute": 10_000, "deadline": 20},
    }
)
EXACT = (
    b'{"total": 6, "next": null, "data": [{"id": 1, "v": 99999999999.123456789}, {"id": 2, "v": 12345678901234567.89},'
    b' {"id": 3, "v": 12345678901234567890}, {"id": 4, "v": "12345678901234567890.5"}, {"id": 5, "v": 0.1234567891},'
    b' {"id": null, "v": 12345678901234567.8912345678901}]}'
)

Rows = Callable[[bytes | Answer], list[Any]]


def connection(url: str) -> Connection:
    return Connection(conn_id="values", host=url)


@pytest.fixture
def rows(warehouse: str) -> Rows:
    def fetch(body: bytes | Answer) -> list[Any]:
        with answering(body) as url:
            return list(SourceClient.of(connection(url), SOURCE, warehouse).rows(DAY).rows)

    return fetch


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def to(url: str) -> None:
        monkeypatch.setattr(SourceClient, "of", lambda _, source, uri: of(connection(url), source, uri))

    of = SourceClient.of
    return to


def test_numbers_are_exact_in_file_table_and_quarantine(
    run: Run, served: Callable[[str], None], warehouse: str, tmp_path: Path
) -> None:
    with answering(EXACT) as url:
        served(url)
        run(SOURCE, DAY)
    [raw] = tmp_path.rglob("*.raw.jsonl")
    assert raw.read_text().splitlines()[:2] == [
        '{"id": 1, "v": 99999999999.123456789}',
        '{"id": 2, "v": 12345678901234567.89}',
    ]
    with psycopg.connect(warehouse) as session:
        assert session.execute("SELECT trim_scale(v)::text FROM values_data ORDER BY id").fetchall() == [
            ("99999999999.123456789",), ("12345678901234567.89",), ("12345678901234567890",),
            ("12345678901234567890.5",), ("0.1234567891",),
        ]  # fmt: skip
        rejected = session.execute("SELECT source_row -> 'row' ->> 'v', reason FROM quarantine").fetchall()
    assert rejected == [("12345678901234567.8912345678901", "id: a value is missing")]


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ({"error": True, "reason": "No such table."}, PermanentUpstreamError, "answered with an error: No such table."),
        ({"message": "Unknown field"}, PermanentUpstreamError, "Unknown field"),
        ({"detail": "Service is temporarily unavailable"}, TransientUpstreamError, "temporarily unavailable"),
        ({"error": {"message": "too many requests"}}, TransientUpstreamError, "too many requests"),
        ({"error": "half of it", "total": 0, "next": None, "data": []}, PermanentUpstreamError, "half of it"),
        ({"error": True}, PermanentUpstreamError, '{"error": true}'),
        ({}, PermanentUpstreamError, "data must be a list of rows"),
    ],
)
def test_an_error_with_status_200_shows_its_reason(
    rows: Rows, body: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rows(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("total", "error", "message"),
    [
        (1, PermanentUpstreamError, r"a page without rows has a next page, .*/x\?cursor=2"),
        (2, TransientUpstreamError, "2 rows announced, 1 received"),
    ],
)
def test_an_empty_page_with_a_next_one_is_refused(rows: Rows, total: int, error: type[Exception], message: str) -> None:
    calls = []

    def endless(call: int, _: str) -> bytes:
        calls.append(call)
        data = [{"id": 1, "v": 1}] if call == 1 else []
        return json.dumps({"total": total, "next": f"/x?cursor={call}", "data": data}).encode()

    with pytest.raises(error, match=message):
        rows(endless)
    assert len(calls) == 2


@pytest.mark.parametrize("link", ["http://[::1", "http://a:b/", "HTTP://169.254.169.254/", "file:///etc/passwd"])
def test_a_link_to_no_allowed_url_is_refused(rows: Rows, link: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        rows(json.dumps({"total": 2, "next": link, "data": [{"id": 1, "v": 1}]}).encode())


def test_the_number_of_pages_is_bounded(rows: Rows) -> None:
    def slow(call: int, _: str) -> bytes:
        return json.dumps({"total": 9, "next": f"/x?cursor={call}", "data": [{"id": call, "v": 1}]}).encode()

    with pytest.raises(PermanentUpstreamError, match=r"more than 3 pages; .* limits.page_size in values.yaml"):
        rows(slow)


def test_the_time_of_all_pages_is_bounded(warehouse: str) -> None:
    calls = []

    def just_in_time(call: int, _: str) -> bytes:
        calls.append(call)
        time.sleep(0.6)  # well within the deadline of a call
        return json.dumps({"total": 9, "next": f"/x?cursor={call}", "data": [{"id": call, "v": 1}]}).encode()

    limits = SOURCE.limits.model_copy(update={"duration": 1, "page_size": 1})
    source = SOURCE.model_copy(update={"limits": limits})
    with answering(just_in_time) as url:
        pages = SourceClient.of(connection(url), source, warehouse).rows(DAY).rows
        message = r"values, 2024-06-01: \d page\(s\) with \d of 9 rows took longer than 1 s; .* limits.duration in"
        with pytest.raises(TransientUpstreamError, match=message):
            list(pages)
    assert len(calls) <= 2
