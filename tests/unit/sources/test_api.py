"""The block `api`: what it refuses, the first request that it stands for, and the links of a response."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from include.core.sources.api import Api
from include.core.sources.errors import SourceError
from include.core.sources.files import parse_source
from include.core.sources.links import next_link
from include.core.sources.paging import first_request
from tests.unit.sources.conftest import GOOD

PATH = Path("sources/orders.yaml")
SUMMER = dt.date(2024, 6, 1)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{row: x}", r"orders.yaml:8: api.row: unknown field; allowed: rows, total, paging, dates, query"),
        ("{paging: {kind: pages}}", r"orders.yaml:8: api.paging: .*'none', 'page', 'offset', 'cursor', 'link'"),
        ("{paging: {kind: page, frist: 1}}", r"api.paging.frist: unknown field; allowed: size_parameter, kind"),
        ("{paging: {kind: page, first: 2}}", r"orders.yaml:8: api.paging.first: .*less than or equal to 1 \(got 2\)"),
        ("{paging: {kind: page, end: short}}", r"api.paging: end: short needs size_parameter"),
        ("{paging: {kind: cursor}}", r"orders.yaml:8: api.paging.cursor: is missing; add it"),
        ("{dates: {begin: since}}", r"api.dates.begin: unknown field; allowed: start, end, includes_end, format"),
        ("{dates: {format: iso}}", r"api.dates.format: Input should be 'date', 'datetime' or 'unix' \(got 'iso'\)"),
        ("{key: {}}", r"api.key: header, parameter: must have one of them"),
        ("{key: {header: a, parameter: b}}", r"api.key: header, parameter: must have one of them"),
        ("{query: {api_key: abc}}", r"api.query: 'api_key' looks like a secret: keep its value in the connection's"),
        ("{query: {since: x}}", r"api: the parameter since is used twice"),
        ("{query: {a: true}}", r"api.query.a: Input should be a valid string \(got True\)"),
        ("{rows: $, total: count, paging: {kind: link}}", r"api: total: a response that is a list of rows has no"),
        ("{rows: $}", r"api: paging.url: a response that is a list of rows has no other fields"),
        ("{rows: a..b}", r"api.rows: String should match pattern .*got 'a..b'"),
        ("{allowed_hosts: [x.test]}", r"api.allowed_hosts.0: String should match pattern"),
    ],
)  # fmt: skip
def test_each_fault_of_the_block_is_named(block: str, message: str) -> None:
    text = GOOD.replace("timezone:", f"api: {block}\ntimezone:")
    with pytest.raises(SourceError, match=message):
        parse_source(text, PATH)


def test_a_source_of_files_has_no_api() -> None:
    text = GOOD.replace("path: /orders", "files: {folder: orders, name: 'o_{day}.csv'}\napi: {}")
    with pytest.raises(SourceError, match="api: is for an API; remove it, or set path instead of files"):
        parse_source(text, PATH)


@pytest.mark.parametrize(
    ("dates", "start", "end"),
    [
        ("{}", "2024-06-01", "2024-06-01"),
        ("{includes_end: false}", "2024-06-01", "2024-06-02"),
        ("{format: datetime}", "2024-06-01T00:00:00+02:00", "2024-06-01T23:59:59.999999+02:00"),
        ("{format: datetime, includes_end: false}", "2024-06-01T00:00:00+02:00", "2024-06-02T00:00:00+02:00"),
        ("{format: unix}", "1717192800", "1717279199"),
        ("{format: unix, includes_end: false}", "1717192800", "1717279200"),
        ("{end: null}", "2024-06-01", None),
    ],
)
def test_a_day_in_each_format(dates: str, start: str, end: str | None) -> None:
    source = parse_source(GOOD.replace("timezone:", f"api: {{dates: {dates}}}\ntimezone:"), PATH)
    query = dict(first_request(source, "https://a.test/orders", SUMMER).query)
    assert (query["since"], query.get("until"), query["limit"]) == (start, end, "100")


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-06-01", 24)])
def test_a_day_has_its_own_length(day: str, hours: int) -> None:
    dates = "{format: unix, includes_end: false}"
    source = parse_source(GOOD.replace("timezone:", f"api: {{dates: {dates}}}\ntimezone:"), PATH)
    query = dict(first_request(source, "https://a.test/orders", dt.date.fromisoformat(day)).query)
    assert int(query["until"]) - int(query["since"]) == hours * 3600


def test_without_the_block_the_format_is_the_default() -> None:
    source = parse_source(GOOD, PATH)
    assert source.api == Api()
    assert str(first_request(source, "https://a.test/orders", SUMMER)) == (
        "https://a.test/orders?since=2024-06-01&until=2024-06-01&limit=100"
    )


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ("", None),
        ('<https://a.test/?page=2>; rel="next"', "https://a.test/?page=2"),
        ('</a>; rel="first", </b,c;d>; title="x, y; z"; rel=next', "/b,c;d"),
        ('</a>; rel="prev next last"', "/a"),
        ('</a>; rel="nextish"', None),
        ('</a>; title="rel=next"', None),
        ("</a>; REL=NEXT,", "/a"),
        ("</a>; rel=next, </a>; rel=next", "/a"),
    ],
)
def test_the_next_link(header: str, link: str | None) -> None:
    assert next_link(header) == link


@pytest.mark.parametrize(
    "header",
    ["/a; rel=next", "</a; rel=next", '</a>; rel="next', "</a> </b>", "x" * 9000, "</a>; rel=next, </b>; rel=next"],
)
def test_a_malformed_link_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="it "):
        next_link(header)
