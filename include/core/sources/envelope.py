"""Recognises the format of an API from one request and its response: rows, total, paging and date parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from include.core.errors import UnreadableError
from include.core.sources.api import SECRET, WHOLE
from include.core.sources.links import next_link

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEEPEST = 3
TOTAL = re.compile(r"@odata\.count|(total|all)?_?(count|total|hits|results|items|rows|elements|records)", re.IGNORECASE)
PAGES = re.compile(r"(total_?|num_?|last_?)?pages?(_?count)?|last_?page", re.IGNORECASE)
CURSOR = re.compile(r"(next_?)?(page_?)?(cursor|token|after)|continuation(_?token)?", re.IGNORECASE)
NEXT = re.compile(r"(@odata\.)?next(_?(url|link|page|href|page_?url))?", re.IGNORECASE)
NUMBER = re.compile(r"p|page(_?(number|no|index))?", re.IGNORECASE)
OFFSET = re.compile(r"\$?(offset|skip|start_?(index|at))", re.IGNORECASE)
SIZE = re.compile(r"\$?(limit|top|size|per_?page|page_?size|max_?results|rows|count)", re.IGNORECASE)
LAST = re.compile(r"^to$|until|end|before|to_?date", re.IGNORECASE)
FORMATS = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "datetime": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"),
    "unix": re.compile(r"1\d{9}"),
}


class Envelope(NamedTuple):
    """The block ``api`` that fits a response, what isn't sure of it, its rows, a page's size, and if more follow."""

    block: dict[str, Any]
    doubts: list[str]
    rows: list[dict[str, Any]]
    page_size: int | None
    is_partial: bool


def recognise_envelope(query: Mapping[str, str], body: Any, link: str) -> Envelope:
    """Return what one request and its response tell of an API.

    Args:
        query: the request's parameters.
        body: the parsed response.
        link: its header ``Link``.

    Raises:
        UnreadableError: if there is no list of objects in the response.
    """
    place, rows = _rows(body)
    fields = {} if place == WHOLE else dict(_fields(body))
    doubts: list[str] = []
    paging, more = _paging(query, fields, link, doubts)
    size = next((name for name in query if SIZE.fullmatch(name)), None)
    if size:
        paging["size_parameter"] = size
    total = next(
        (name for name, value in fields.items() if _is_named(name, TOTAL) and _is_count(value, len(rows))), None
    )
    if total and fields[total] == len(rows) and more:
        total = None
    if total is None and paging["kind"] == "none":
        doubts.append("no sign of further pages; if there are some, declare paging")
    block: dict[str, Any] = {"rows": place}
    if place != WHOLE:
        block["total"] = total
    block |= {"paging": paging, "dates": _dates(query, doubts)}
    used = {*block["dates"].values(), paging.get("parameter"), size}
    rest = {name: value for name, value in query.items() if name not in used}
    if key := next((name for name in rest if SECRET.fullmatch(name)), None):
        block["key"] = {"parameter": key}
        doubts.append(f"the key of {key} belongs into the connection's password")
    if constant := {name: value for name, value in rest.items() if not SECRET.fullmatch(name)}:
        block["query"] = constant
    given = query.get(size or "", "")
    is_partial = more or (total is not None and fields[total] > len(rows))
    return Envelope(block, doubts, rows, int(given) if given.isdecimal() else None, is_partial)


def _rows(body: Any) -> tuple[str, list[dict[str, Any]]]:
    """Return the longest list of objects, and where it is."""
    lists = [(WHOLE, body), *(_fields(body) if isinstance(body, dict) else ())]
    found = [(place, value) for place, value in lists if isinstance(value, list) and value]
    found = [(place, value) for place, value in found if all(isinstance(row, dict) for row in value)]
    if not found:
        raise UnreadableError("the response has no list of objects, or an empty one; ask for a day with rows")
    return max(found, key=lambda item: len(item[1]))


def _fields(body: dict[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and the value of every field outside lists."""
    for name, value in body.items():
        yield f"{before}{name}", value
        if isinstance(value, dict) and depth < DEEPEST:
            yield from _fields(value, f"{before}{name}.", depth + 1)


def _is_named(place: str, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.fullmatch(place) or pattern.fullmatch(place.rpartition(".")[2]))


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _paging(
    query: Mapping[str, str], fields: Mapping[str, Any], link: str, doubts: list[str]
) -> tuple[dict[str, Any], bool]:
    """Return how the next page is requested, and whether there is one."""
    if link:
        return {"kind": "link"}, next_link(link) is not None
    for place, value in fields.items():
        if _is_named(place, NEXT) or place.lower().endswith("next.href"):
            if isinstance(value, str) and re.match(r"https?://|[/?]", value):
                doubts.append(f"if the last page lacks {place}, add absent_at_end: true to paging")
                return {"kind": "next_url", "url": place}, True
            if value is None:
                return {"kind": "next_url", "url": place}, False
    for place, value in fields.items():
        if _is_named(place, CURSOR) and (value is None or isinstance(value, str | int)):
            sent = next((name for name in query if CURSOR.fullmatch(name)), None)
            if not sent:
                doubts.append("which parameter takes the cursor isn't known: see paging.parameter")
            return {"kind": "cursor", "cursor": place, "parameter": sent or "cursor"}, value not in {None, ""}
    if name := next((name for name in query if NUMBER.fullmatch(name)), None):
        paging = {"kind": "page", "parameter": name, "first": 0 if query[name] == "0" else 1}
        pages = next(
            (
                place
                for place, value in fields.items()
                if _is_named(place, PAGES)
                and place != name
                and _is_count(value, 1)
                and not NUMBER.fullmatch(place.rpartition(".")[2])
            ),
            None,
        )
        return paging | ({"pages": pages} if pages else {}), pages is not None and fields[pages] > 1
    if name := next((name for name in query if OFFSET.fullmatch(name)), None):
        return {"kind": "offset", "parameter": name}, False
    return {"kind": "none"}, False


def _dates(query: Mapping[str, str], doubts: list[str]) -> dict[str, Any]:
    """Return the date parameters."""
    found = {
        name: kind for name, value in query.items() for kind, pattern in FORMATS.items() if pattern.fullmatch(value)
    }
    start = next((name for name in found if not LAST.search(name)), None)
    if start is None:
        doubts.append("no date parameter in the URL: see dates for how a day is requested")
        return {}
    end = next((name for name in found if name != start and found[name] == found[start]), None)
    dates: dict[str, Any] = {"start": start, "end": end, "format": found[start]}
    if end:
        dates["includes_end"] = query[end] == query[start] or not _is_midnight(query[end], found[end])
        doubts.append("whether the end is in the day: see includes_end")
    return dates


def _is_midnight(value: str, kind: str) -> bool:
    return kind == "date" or "T00:00" in value or " 00:00" in value or (kind == "unix" and int(value) % 900 == 0)
