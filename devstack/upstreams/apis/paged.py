"""The sources once more, below ``/paged``: each kind of paging, envelope and date parameters that APIs commonly have.

============================================================= ==========================================================
``/paged/list/sales?from=…&to=…`` (ISO 8601, exclusive)       ``[rows]``, all of them
``/paged/number/sales?day=…&page=1&per_page=500``             ``{"meta": {"pages": 4, "count": 1763}, "result":
                                                              {"items": [rows]}}``; no rows after the last page
``/paged/offset/sales?start=…&end=…&offset=0&limit=500``      ``{"items": [rows], "count": 1763}``; Unix seconds
``/paged/cursor/sales?since=…&until=…&limit=500&cursor=…``    ``{"data": {"items": [rows]}, "next_cursor": "…"}``
``/paged/link/sales?date=…&per_page=500&page=1``              ``[rows]``, the header ``Link``
``/paged/next/sales?since=…&until=…&$top=500``                ``{"value": [rows], "@odata.nextLink": "https://…"}``,
                                                              which the last page lacks
============================================================= ==========================================================

Days are those of the source's time zone. ``/paged/keyed/sales`` is ``number`` for callers that send a key, as header
``X-Api-Key`` or parameter ``api_key``.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from starlette.routing import Route

from devstack.upstreams import replay
from devstack.upstreams.answers import RefusedError, json_response, source_error
from devstack.upstreams.apis.sources import DEFAULT_LIMIT, MAX_LIMIT, SOURCES, Row, Source, period, positive_integer

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

Body = dict[str, object] | list[Row]


class Slice(NamedTuple):
    """Some rows of a day: how many it has, and where the next ones start; ``None`` after the last."""

    rows: list[Row]
    total: int
    following: int | None


def list_(request: Request, source: Source) -> tuple[date, Body, dict[str, str]]:
    """Return all rows of a day as a list."""
    day = _local_day(source, *(_instant(request, name) for name in ("from", "to")))
    return day, list(source.rows(day)), {}


def number(request: Request, source: Source) -> tuple[date, Body, dict[str, str]]:
    """Return a page by its number."""
    day, size = date.fromisoformat(request.query_params.get("day", "")), _size(request, "per_page")
    page = positive_integer(request.query_params, "page", 1, None)
    rows = _slice(source, day, (page - 1) * size, size)
    meta = {"page": page, "pages": -(-rows.total // size), "count": rows.total}
    return day, {"meta": meta, "result": {"items": rows.rows}}, {}


def offset(request: Request, source: Source) -> tuple[date, Body, dict[str, str]]:
    """Return the rows from an offset."""
    start, end = (datetime.fromtimestamp(int(request.query_params.get(name, "")), UTC) for name in ("start", "end"))
    day = _local_day(source, start, end)
    rows = _slice(source, day, int(request.query_params.get("offset", "0")), _size(request, "limit"))
    return day, {"items": rows.rows, "count": rows.total}, {}


def cursor(request: Request, source: Source) -> tuple[date, Body, dict[str, str]]:
    """Return the rows from a cursor."""
    day, _ = period(request.query_params)
    given = request.query_params.get("cursor", "")
    rows = _slice(source, day, int(base64.urlsafe_b64decode(given) or 0), _size(request, "limit"))
    following = rows.following and base64.urlsafe_b64encode(str(rows.following).encode()).decode()
    return day, {"data": {"items": rows.rows}, "next_cursor": following}, {}


def link(request: Request, source: Source) -> tuple[date, Body, dict[str, str]]:
    """Return a page by its number, and links to others in a header."""
    day, _ = period(request.query_params)
    page, size = positive_integer(request.query_params, "page", 1, None), _size(request, "per_page")
    rows = _slice(source, day, (page - 1) * size, size)
    links = [f'<{request.url.include_query_params(page=1)}>; rel="first"']
    if rows.following:
        links.append(f'<{request.url.include_query_params(page=page + 1)}>; rel="next"')
    return day, list(rows.rows), {"link": ", ".join(links)}


def next_(request: Request, source: Source) -> tuple[date, Body, dict[str, str]]:
    """Return the rows from the ``$skip`` of a link."""
    day, _ = period(request.query_params)
    rows = _slice(source, day, int(request.query_params.get("$skip", "0")), _size(request, "$top"))
    url = request.url.include_query_params(**{"$skip": rows.following})
    return day, {"value": rows.rows} | ({"@odata.nextLink": str(url)} if rows.following else {}), {}


def keyed(request: Request, source: Source) -> tuple[date, Body, dict[str, str]]:
    """Return a page by its number, to callers with a key."""
    if not (request.headers.get("X-Api-Key") or request.query_params.get("api_key")):
        raise RefusedError(401, "send an API key: header X-Api-Key, or parameter api_key")
    return number(request, source)


KINDS = {
    "list": list_,
    "number": number,
    "offset": offset,
    "cursor": cursor,
    "link": link,
    "next": next_,
    "keyed": keyed,
}


def _slice(source: Source, day: date, start: int, size: int) -> Slice:
    rows = source.rows(day)
    return Slice(rows[start : start + size], len(rows), start + size if start + size < len(rows) else None)


def _size(request: Request, name: str) -> int:
    return positive_integer(request.query_params, name, DEFAULT_LIMIT, MAX_LIMIT)


def _instant(request: Request, name: str) -> datetime:
    value = datetime.fromisoformat(request.query_params.get(name, ""))
    if value.tzinfo is None:
        raise RefusedError(400, f"{name}={value}: set an offset, such as +00:00")
    return value


def _local_day(source: Source, start: datetime, end: datetime) -> date:
    """Return the day that begins at ``start`` and ends before ``end``."""
    day = start.astimezone(source.zone).date()
    bounds = (datetime.combine(each, time(), source.zone) for each in (day, day + timedelta(days=1)))
    if (start, end) != tuple(bounds):
        raise RefusedError(400, f"{start} to {end} is not a day of {source.zone}")
    return day


def _endpoint(kind: Callable[..., tuple[date, Body, dict[str, str]]], source: Source) -> Callable[..., object]:
    async def respond(request: Request) -> Response:
        try:
            day, body, headers = kind(request, source)
            recorded = source.recorded_day(day)
        except RefusedError as error:
            return json_response(source_error(str(error), error.status), error.status)
        except LookupError as error:
            return json_response(source_error(str(error), 404), 404)
        except (ValueError, OverflowError, binascii.Error) as error:
            return json_response(source_error(f"a parameter is missing or invalid: {error}"), 400)
        replayed = replay.replay_header([(day, recorded)] if recorded else [])
        return json_response(body, headers=headers | replayed)

    return respond


def routes(_s3: str | None) -> list[Route]:
    """Return the routes of each kind and source."""
    return [
        Route(f"/paged/{name}/{source.name}", _endpoint(kind, source))
        for name, kind in KINDS.items()
        for source in SOURCES
    ]
