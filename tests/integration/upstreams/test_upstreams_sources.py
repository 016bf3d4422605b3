from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

import pytest
import requests

from devstack.upstreams import replay
from devstack.upstreams.records import DATA
from include.core.replay import HEADER


def get(upstreams: str, path: str, **query: str) -> requests.Response:
    return requests.get(upstreams + path, params=query, timeout=10)


def walk(upstreams: str, path: str) -> list[dict[str, Any]]:
    """Follow ``next`` from the first page on; return every page."""
    pages = []
    following: str | None = path
    while following:
        response = requests.get(upstreams + following, timeout=10)
        assert response.status_code == 200, response.text
        pages.append(response.json())
        following = pages[-1]["next"]
    return pages


def as_text(row: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in row.items()}


FILES = {"sales": "retail/online_retail_2010-12-[12]?.csv", "marketing": "marketing/*.csv", "support": "support/*.csv"}
PERIODS = {
    "sales": "since=2010-12-19&until=2010-12-22",
    "marketing": "since=2010-12-01&until=2010-12-22",
    "support": "since=2025-01-01&until=2025-03-14",
}


@pytest.mark.parametrize("source", FILES)
@pytest.mark.parametrize("limit", [1000, 333])
def test_pages_cover_every_recorded_row_exactly_once_and_in_order(upstreams: str, source: str, limit: int) -> None:
    recorded = []
    for path in sorted(DATA.glob(FILES[source])):
        with path.open(encoding="utf-8", newline="") as lines:
            recorded += list(csv.DictReader(lines, delimiter=";" if source == "marketing" else ","))
    pages = walk(upstreams, f"/{source}?{PERIODS[source]}&limit={limit}")
    assert [as_text(row) for page in pages for row in page["data"]] == recorded
    assert {page["total"] for page in pages} == {len(recorded)}
    assert [page["page"] for page in pages] == list(range(1, pages[0]["pages"] + 1))
    assert all(len(page["data"]) == limit for page in pages[:-1])


@pytest.mark.parametrize(("source", "days"), [("sales", [19, 20, 21, 22]), ("marketing", list(range(1, 23)))])
def test_days_add_up_to_the_period(upstreams: str, source: str, days: list[int]) -> None:
    by_day = [get(upstreams, f"/{source}", date=f"2010-12-{day:02}").json()["total"] for day in days]
    assert all(by_day)
    assert sum(by_day) == walk(upstreams, f"/{source}?{PERIODS[source]}&limit=1000")[0]["total"]


def test_a_day_of_support_has_the_tickets_created_on_it(upstreams: str) -> None:
    rows = get(upstreams, "/support", date="2025-02-01").json()["data"]
    assert rows
    assert {row["created_at"][:10] for row in rows} == {"2025-02-01"}


def test_the_envelope(upstreams: str) -> None:
    page = get(upstreams, "/sales", date="2010-12-20", page="2", limit="1000").json()
    assert list(page) == ["source", "since", "until", "page", "pages", "limit", "total", "next", "data"]
    assert [page[name] for name in list(page)[:-1]] == ["sales", "2010-12-20", "2010-12-20", 2, 2, 1000, 1763, None]


def test_values_are_raw(upstreams: str) -> None:
    first, *_ = get(upstreams, "/sales", date="2010-12-20", limit="1").json()["data"]
    assert first == {
        "InvoiceNo": "C539486",
        "StockCode": "22600",
        "Description": "CHRISTMAS RETROSPOT STAR WOOD",
        "Quantity": -12,
        "InvoiceDate": "2010-12-20 08:27:00",
        "UnitPrice": 0.85,
        "CustomerID": 18256.0,
        "Country": "United Kingdom",
    }
    assert '"CustomerID":18256.0' in get(upstreams, "/sales", date="2010-12-20", limit="1").text


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({}, 400, "since=missing: set date, or since and until, as YYYY-MM-DD"),
        ({"date": "20.12.2010"}, 400, "date=20.12.2010: set date, or since and until, as YYYY-MM-DD"),
        ({"date": "2010-02-30"}, 400, "date=2010-02-30 is not a valid date"),
        ({"date": "2010-12-20", "since": "2010-12-20"}, 400, "set either date, or since and until"),
        ({"since": "2010-12-20", "until": "2010-12-19"}, 400, "until=2010-12-19 is before since=2010-12-20"),
        ({"date": "2010-12-20", "limit": "1001"}, 400, "limit=1001: allowed: 1 to 1000"),
        ({"date": "2010-12-20", "page": "0"}, 400, "page=0: allowed: 1 or more"),
        ({"date": "2010-12-20", "day": "1"}, 400, "unknown parameter day; allowed: date, since, until, page, limit"),
        ({"date": "2010-12-20", "page": "5"}, 404, "page=5 is after the last page, 4"),
    ],
)
def test_errors_say_what_is_allowed(upstreams: str, query: dict[str, str], status: int, message: str) -> None:
    response = get(upstreams, "/sales", **query)
    assert (response.status_code, response.json()) == (status, {"error": {"status": status, "message": message}})


def test_a_future_day_has_no_rows_yet(upstreams: str) -> None:
    tomorrow = replay.today() + timedelta(days=1)
    response = get(upstreams, "/sales", date=tomorrow.isoformat())
    message = f"sales has no rows from {tomorrow} to {tomorrow} yet; its last day is {replay.today()}"
    assert (response.status_code, response.json()) == (404, {"error": {"status": 404, "message": message}})


@pytest.mark.parametrize("source", FILES)
def test_any_other_day_replays_a_recorded_day_and_names_it(upstreams: str, source: str) -> None:
    yesterday = (replay.today() - timedelta(days=1)).isoformat()
    replayed = get(upstreams, f"/{source}", date=yesterday, limit="1000")
    recorded = get(upstreams, f"/{source}", date=replayed.headers[HEADER], limit="1000")
    assert HEADER not in recorded.headers
    assert replayed.json()["total"] == recorded.json()["total"] > 0
    days = {str(row[name])[:10] for row in replayed.json()["data"] for name in {"InvoiceDate", "created_at"} & set(row)}
    assert days <= {yesterday}
    for row, other in zip(replayed.json()["data"], recorded.json()["data"], strict=True):
        changed = {name for name in row if row[name] != other[name]}
        assert changed <= {"InvoiceNo", "InvoiceDate", "ticket_id", "created_at", "closed_at", "updated_at"}


def test_pages_over_recorded_and_replayed_days_hold_each_row_once(upstreams: str) -> None:
    path = "/sales?since=2010-12-17&until=2010-12-20&limit=400"
    pages = walk(upstreams, path)
    rows = [row for page in pages for row in page["data"]]
    assert len(rows) == pages[0]["total"]
    days = [f"2010-12-{day}" for day in range(17, 21)]
    assert list(dict.fromkeys(row["InvoiceDate"][:10] for row in rows)) == days
    one_by_one = [
        row for day in days for page in walk(upstreams, f"/sales?date={day}&limit=1000") for row in page["data"]
    ]
    assert rows == one_by_one
