"""Pages that are lost, repeated, cut or lead elsewhere: no rows are returned as a complete day."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pytest
from airflow.sdk import Connection

from include.core.errors import ForbiddenAddressError, PermanentUpstreamError, TransientUpstreamError
from include.core.sources.client import SourceClient
from include.core.sources.model import Source
from tests.integration.http.answers import Answer, answering

DAY = date(2024, 6, 1)
KEY = "k3y/+="

NUMBER = {"rows": "items", "total": None, "paging": {"kind": "page", "size_parameter": "size"}}
PAGES = NUMBER | {"paging": NUMBER["paging"] | {"pages": "meta.pages"}}  # type: ignore[operator]
COUNTED = NUMBER | {"total": "count"}
OFFSET = {"rows": "items", "total": None, "paging": {"kind": "offset", "size_parameter": "size"}}
CURSOR = {"rows": "items", "total": None, "paging": {"kind": "cursor", "cursor": "meta.next", "size_parameter": "size"}}
LINK = {"rows": "$", "paging": {"kind": "link", "size_parameter": "size"}}
NEXT = {"rows": "items", "total": None, "paging": {"kind": "next_url", "url": "next", "size_parameter": "size"}}
SINGLE = {"rows": "$", "paging": {"kind": "none", "size_parameter": "size"}}

Fetch = Callable[..., list[Any]]


def source(api: dict[str, Any]) -> Source:
    return Source.model_validate(
        {
            "name": "values",
            "description": "Numbers of an API.",
            "owner": "data",
            "schedule": "0 6 * * *",
            "start_date": "2024-01-01",
            "path": "/values",
            "api": api,
            "key": ["id"],
            "columns": {"id": {"type": "integer"}},
            "limits": {"rows": 20, "page_size": 2, "calls_per_minute": 10_000, "deadline": 5},
        }
    )


@pytest.fixture
def fetch(warehouse: str) -> Fetch:
    def rows(api: dict[str, Any], answer: Answer) -> list[Any]:
        with answering(answer) as url:
            connection = Connection(conn_id="values", host=url, password=KEY)
            return list(SourceClient.of(connection, source(api), warehouse).rows(DAY).rows)

    return rows


def pages(*bodies: Any) -> Answer:
    """Answer with one body after another, the last one for ever; a pair is a body and the header ``Link``."""

    def answer(call: int, _: str) -> tuple[bytes, dict[str, str]]:
        body = bodies[min(call, len(bodies)) - 1]
        content, link = body if isinstance(body, tuple) else (body, "")
        return json.dumps(content).encode(), {"Link": link} if link else {}

    return answer


def ids(*numbers: int) -> list[dict[str, int]]:
    return [{"id": number} for number in numbers]


def page(*numbers: int, **more: Any) -> dict[str, Any]:
    return {"items": ids(*numbers)} | more


NEXT_LINK = '<{}>; rel="next"'
FAULTS: list[tuple[str, dict[str, Any], Sequence[Any], type[Exception], str]] = [
    (
        "short page mid-way",
        NUMBER,
        [page(1, 2), page(3), page(4, 5), page()],
        PermanentUpstreamError,
        "fewer than limits",
    ),
    ("short page mid-way", OFFSET, [page(1, 2), page(3), page(4), page()], PermanentUpstreamError, "fewer than limits"),
    (
        "short page mid-way",
        PAGES,
        [page(1, meta={"pages": 2}), page(2, 3, meta={"pages": 2})],
        PermanentUpstreamError,
        "1 rows, fewer than limits.page_size (2), yet another page",
    ),
    ("page parameter is ignored", NUMBER, [page(1, 2)], PermanentUpstreamError, "the API ignores page"),
    ("page parameter is ignored", COUNTED, [page(1, 2, count=4)], PermanentUpstreamError, "the API ignores page"),
    ("offset is ignored", OFFSET, [page(1, 2)], PermanentUpstreamError, "the API ignores offset"),
    (
        "lost page",
        COUNTED,
        [page(1, 2, count=5), page(count=5)],
        TransientUpstreamError,
        "5 rows announced, 2 received",
    ),
    (
        "lost page",
        PAGES,
        [page(1, 2, meta={"pages": 3}), page(meta={"pages": 3})],
        PermanentUpstreamError,
        "without rows",
    ),
    (
        "number of pages changes",
        PAGES,
        [page(1, 2, meta={"pages": 3}), page(3, 4, meta={"pages": 2})],
        TransientUpstreamError,
        "3 pages announced, then 2",
    ),
    (
        "number of pages is absent",
        PAGES,
        [page(1, meta={})],
        PermanentUpstreamError,
        "meta.pages must be the number of pages",
    ),
    (
        "total is too small",
        COUNTED,
        [page(1, 2, count=3), page(3, 4, count=3)],
        TransientUpstreamError,
        "3 rows announced, 4",
    ),
    ("total of a page", COUNTED, [page(1, 2, count=2)], PermanentUpstreamError, "may be the number of its rows alone"),
    ("total is absent", COUNTED, [page(1)], PermanentUpstreamError, "(api.total in values.yaml): count must be"),
    (
        "total is a text",
        COUNTED,
        [page(1, count="1")],
        PermanentUpstreamError,
        "count must be the number of rows, not '1'",
    ),
    (
        "cursor is repeated",
        CURSOR,
        [page(1, meta={"next": "a"}), page(2, meta={"next": "a"})],
        PermanentUpstreamError,
        "cursor=a is repeated",
    ),
    (
        "cursor without rows",
        CURSOR,
        [page(1, meta={"next": 1}), page(meta={"next": 2})],
        PermanentUpstreamError,
        "without rows",
    ),
    ("cursor never ends", CURSOR, [page(1, meta={"next": 1})], PermanentUpstreamError, "cursor=1 is repeated"),
    ("cursor is absent", CURSOR, [page(1, 2)], PermanentUpstreamError, "meta.next is absent"),
    (
        "cursor is no cursor",
        CURSOR,
        [page(1, meta={"next": True})],
        PermanentUpstreamError,
        "must be a text or a number, not True",
    ),
    ("next URL is repeated", NEXT, [page(1, next="/b"), page(2, next="/b")], PermanentUpstreamError, "/b is repeated"),
    ("next URL is absent", NEXT, [page(1, 2)], PermanentUpstreamError, "next is absent"),
    ("next URL is no text", NEXT, [page(1, next=[1])], PermanentUpstreamError, "next must be a URL or null"),
    (
        "next URL elsewhere",
        NEXT,
        [page(1, next="http://169.254.169.254/")],
        ForbiddenAddressError,
        "api.allowed_hosts in values.yaml",
    ),
    ("next URL is malformed", NEXT, [page(1, next=f"http://[::1?key={KEY}")], ForbiddenAddressError, "isn't a URL"),
    (
        "link elsewhere",
        LINK,
        [(ids(1), NEXT_LINK.format("https://evil.test/"))],
        ForbiddenAddressError,
        "evil.test:443 may not",
    ),
    ("link is repeated", LINK, [(ids(1), NEXT_LINK.format("/b"))], PermanentUpstreamError, "/b is repeated"),
    ("link is malformed", LINK, [(ids(1), "/b; rel=next")], PermanentUpstreamError, "Link of .* is malformed"),
    ("link is cut", LINK, [(ids(1), '</b>; rel="next')], PermanentUpstreamError, "is malformed"),
    ("two next links", LINK, [(ids(1), "</b>; rel=next, </c>; rel=next")], PermanentUpstreamError, "several links"),
    ("link is lost", LINK, [ids(1, 2)], PermanentUpstreamError, "is full, but has no header Link"),
    ("list is full", SINGLE, [ids(1, 2)], PermanentUpstreamError, "as many as asked for, so there may be more"),
    (
        "rows are elsewhere",
        CURSOR,
        [{"data": []}],
        PermanentUpstreamError,
        "(api.rows in values.yaml): items must be a list",
    ),
    ("rows are no list", SINGLE, [{"id": 1}], PermanentUpstreamError, "the response must be a list of rows"),
    (
        "an error with status 200",
        SINGLE,
        [{"error": f"bad key {KEY}"}],
        PermanentUpstreamError,
        "answered with an error: bad key ***",
    ),
    ("too many rows", NUMBER, [page(1, 2), page(*range(100))], PermanentUpstreamError, "more than 20 rows"),
]


@pytest.mark.parametrize(
    ("api", "bodies", "error", "message"),
    [case[1:] for case in FAULTS],
    ids=[f"{n} {case[0]}" for n, case in enumerate(FAULTS)],
)
def test_a_fault_is_refused(
    fetch: Fetch, api: dict[str, Any], bodies: Sequence[Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        fetch(api, pages(*bodies))
    assert all(part in str(caught.value) for part in message.split(" .* "))
    assert KEY not in str(caught.value)
    assert "values" in str(caught.value)


@pytest.mark.parametrize("parameter", ["key", "X-Key"])
def test_a_link_that_repeats_the_key_doesnt_show_it(fetch: Fetch, parameter: str) -> None:
    key = {"header": parameter} if parameter == "X-Key" else {"parameter": parameter}
    with pytest.raises(PermanentUpstreamError, match=r"/b\?key=\*\*\* is repeated") as caught:
        fetch(NEXT | {"key": key}, pages(page(1, next=f"/b?key={KEY}"), page(2, next=f"/b?key={KEY}")))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("api", "bodies"),
    [
        (NUMBER, [page()]),
        (OFFSET, [page()]),
        (COUNTED, [page(count=0)]),
        (PAGES, [page(meta={"pages": 0})]),
        (CURSOR, [page(meta={"next": None})]),
        (NEXT, [page(next=None)]),
        (LINK, [[]]),
        (SINGLE, [[]]),
    ],
    ids=["number", "offset", "total", "pages", "cursor", "next", "link", "single"],
)
def test_a_day_without_rows_is_one(fetch: Fetch, api: dict[str, Any], bodies: Sequence[Any]) -> None:
    assert fetch(api, pages(*bodies)) == []
