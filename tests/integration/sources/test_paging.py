"""A day of the same rows through each kind of paging that a source's YAML can declare."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from airflow.sdk import Connection

from devstack.upstreams.apis import sources as recorded
from devstack.upstreams.client import Control
from include.core import exact_json
from include.core.errors import ConfigurationError, PermanentUpstreamError
from include.core.sources.client import SourceClient
from include.core.sources.files import load_source
from include.core.sources.model import Source
from include.domains.sources import FOLDER

SALES = load_source(FOLDER / "sales.yaml")
DAY = date(2010, 12, 20)
KEY = "k+y/7="

NUMBER: dict[str, Any] = {
    "rows": "result.items",
    "total": None,
    "paging": {"kind": "page", "size_parameter": "per_page"},
    "dates": {"start": "day", "end": None},
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "no paging, datetime": (
        "list",
        {
            "rows": "$",
            "paging": {"kind": "none"},
            "dates": {"start": "from", "end": "to", "format": "datetime", "includes_end": False},
        },
    ),
    "number until an empty page": ("number", NUMBER),
    "number until a short page": ("number", NUMBER | {"paging": NUMBER["paging"] | {"end": "short"}}),
    "number of pages": ("number", NUMBER | {"paging": NUMBER["paging"] | {"pages": "meta.pages"}}),
    "number and total": ("number", NUMBER | {"total": "meta.count"}),
    "offset and total, unix": (
        "offset",
        {
            "rows": "items",
            "total": "count",
            "paging": {"kind": "offset", "size_parameter": "limit"},
            "dates": {"start": "start", "end": "end", "format": "unix", "includes_end": False},
        },
    ),
    "offset until an empty page": (
        "offset",
        {
            "rows": "items",
            "total": None,
            "paging": {"kind": "offset", "size_parameter": "limit"},
            "dates": {"start": "start", "end": "end", "format": "unix", "includes_end": False},
        },
    ),
    "cursor": (
        "cursor",
        {
            "rows": "data.items",
            "total": None,
            "paging": {"kind": "cursor", "cursor": "next_cursor", "size_parameter": "limit"},
        },
    ),
    "link header": (
        "link",
        {
            "rows": "$",
            "paging": {"kind": "link", "size_parameter": "per_page"},
            "dates": {"start": "date", "end": None},
        },
    ),
    "next URL": (
        "next",
        {
            "rows": "value",
            "total": None,
            "paging": {
                "kind": "next_url",
                "url": "@odata.nextLink",
                "absent_at_end": True,
                "size_parameter": "$top",
            },
        },
    ),
}

Fetch = Callable[..., list[Any]]


def declared(kind: str, api: dict[str, Any], name: str = "sales", **limits: int) -> Source:
    """The source of a recording whose API is of a kind."""
    source = load_source(FOLDER / f"{name}.yaml")
    content = source.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Source.model_validate(
        content
        | {"path": f"/paged/{kind}/{name}", "api": api, "limits": {"calls_per_minute": 10_000, "deadline": 5} | limits}
    )


@pytest.fixture
def fetch(connection: Connection, warehouse: str) -> Fetch:
    def rows(source: Source, day: date = DAY, password: str | None = None) -> list[Any]:
        connection.password = password
        return list(SourceClient.of(connection, source, warehouse).rows(day).rows)

    return rows


def expected(name: str = "sales", day: date = DAY) -> list[Any]:
    rows = next(source for source in recorded.SOURCES if source.name == name).rows(day)
    parsed: list[Any] = exact_json.loads(json.dumps(rows))
    return parsed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [500, 41, 1763], ids=["four pages", "43 pages of the same size", "one page"])
def test_each_kind_returns_the_same_rows(fetch: Fetch, kind: str, size: int) -> None:
    path, api = KINDS[kind]
    if size == 1763:
        size = 1000 if path != "list" else 1763
    assert fetch(declared(path, api, page_size=size)) == expected()


def test_constants_are_sent_with_each_page(fetch: Fetch, control: Control) -> None:
    assert fetch(declared("number", NUMBER | {"query": {"status": "all", "version": 2}})) == expected()
    queries = [request["query"] for request in control.requests(path="/paged/number/sales")]
    assert [(query["page"], query["status"], query["version"]) for query in queries] == [
        (str(page), "all", "2") for page in range(1, 6)
    ]


@pytest.mark.parametrize("kind", ["no paging, datetime", "offset and total, unix"])
@pytest.mark.parametrize("day", [date(2025, 3, 8), date(2025, 3, 9), date(2025, 3, 10)], ids=str)
def test_days_are_those_of_the_time_zone(fetch: Fetch, kind: str, day: date) -> None:
    path, api = KINDS[kind]
    assert fetch(declared(path, api, "support"), day) == expected("support", day), "a day of 23 hours too"


@pytest.mark.parametrize("key", [{"header": "X-Api-Key"}, {"parameter": "api_key"}], ids=str)
def test_the_password_is_the_key_and_no_message_shows_it(fetch: Fetch, control: Control, key: dict[str, str]) -> None:
    source = declared("keyed", NUMBER | {"key": key})
    with pytest.raises(ConfigurationError, match=r"password: empty; set it to the key that api\.key in sales\.yaml"):
        fetch(source)
    assert fetch(source, password=KEY) == expected()
    with pytest.raises(PermanentUpstreamError, match="answered 401") as caught:
        fetch(declared("keyed", NUMBER), password=KEY)
    assert KEY not in str(caught.value)
    assert all(KEY not in str(request) for request in control.requests())
