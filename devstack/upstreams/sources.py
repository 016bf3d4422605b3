"""The sales, marketing and support sources: recorded rows by day, a page at a time.

``GET /sales?date=2010-12-20&page=1&limit=500`` (or ``since=…&until=…``, both days included) answers::

    {"source": "sales", "since": "2010-12-20", "until": "2010-12-20", "page": 1, "pages": 4, "limit": 500,
     "total": 1763, "next": "/sales?…&page=2", "data": [{"InvoiceNo": "C539486", "Quantity": -12, …}, …]}

Rows keep their recorded order and values: cancellations, repeated rows, ``17850.0`` as a customer's id, local times. An
empty cell is null. A bad parameter answers 400, a day without a recording or a page past the last 404.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from devstack.upstreams.answers import RefusedError, json_answer, source_error
from devstack.upstreams.records import DATA, DATASETS, read_csv

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

Row = dict[str, str | int | float | None]

PARAMETERS = ("date", "since", "until", "page", "limit")
DEFAULT_LIMIT = 500
MAX_LIMIT = 1000


@cache
def sales() -> dict[date, list[Row]]:
    """Return the retail rows of the five recorded days."""
    days = {}
    for path in sorted((DATA / "retail").glob("online_retail_*.csv")):
        rows = read_csv(f"retail/{path.name}")
        text = frozenset({"InvoiceNo", "StockCode", "Description"})
        days[date.fromisoformat(path.stem.removeprefix("online_retail_"))] = [_typed(row, text) for row in rows]
    return days


@cache
def marketing() -> dict[date, list[Row]]:
    """Return the campaign rows; they have no dates, so file order is dealt to the delivery days as evenly as can be."""
    rows = [_typed(row, frozenset()) for row in read_csv("marketing/bank_additional.csv", delimiter=";")]
    about = next(dataset for dataset in DATASETS if dataset.name == "marketing")
    first, last = date.fromisoformat(about.first_day), date.fromisoformat(about.last_day)
    count = (last - first).days + 1
    edges = [len(rows) * number // count for number in range(count + 1)]
    return {first + timedelta(number): rows[edges[number] : edges[number + 1]] for number in range(count)}


@cache
def support() -> dict[date, list[Row]]:
    """Return the 311 requests by the day of ``created_at`` in New York."""
    days: dict[date, list[Row]] = {}
    for row in read_csv("support/nyc311_animal_requests.csv"):
        day = date.fromisoformat(row["created_at"][:10])
        days.setdefault(day, []).append(_typed(row, frozenset({"ticket_id", "incident_zip"})))
    return days


@dataclass(frozen=True)
class Source:
    """One source: its name is its path; ``load`` gives its rows by recorded day, in order."""

    name: str
    load: Callable[[], dict[date, list[Row]]]

    async def page(self, request: Request) -> Response:
        """``GET /<name>``: one page of the days asked."""
        try:
            return json_answer(self._page(request.query_params))
        except RefusedError as error:
            return json_answer(source_error(str(error), error.status), error.status)

    def _page(self, query: QueryParams) -> dict[str, object]:
        unknown = sorted(set(query) - set(PARAMETERS))
        if unknown:
            raise RefusedError(400, f"unknown parameter {', '.join(unknown)}; allowed: {', '.join(PARAMETERS)}")
        since, until = _period(query)
        page, limit = _whole(query, "page", 1, None), _whole(query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
        days = self.load()
        asked = [day for day in days if since <= day <= until]
        if not asked:
            recorded = ", ".join(map(str, days)) if len(days) < 10 else f"{min(days)} to {max(days)}"
            raise RefusedError(
                404, f"nothing was recorded for {self.name} from {since} to {until}; recorded: {recorded}"
            )
        rows = [row for day in asked for row in days[day]]
        pages = -(-len(rows) // limit)
        if page > pages:
            raise RefusedError(404, f"page={page} is past the last; pages: {pages}")
        following = {"since": since, "until": until, "page": page + 1, "limit": limit}
        return {
            "source": self.name,
            "since": since.isoformat(),
            "until": until.isoformat(),
            "page": page,
            "pages": pages,
            "limit": limit,
            "total": len(rows),
            "next": f"/{self.name}?{urlencode(following)}" if page < pages else None,
            "data": rows[(page - 1) * limit : page * limit],
        }


SOURCES = (Source("sales", sales), Source("marketing", marketing), Source("support", support))


def _typed(row: dict[str, str], text: frozenset[str]) -> Row:
    """Numbers as numbers, but in the columns named ``text``; an empty cell as None."""
    return {name: value if name in text and value else _number(value) for name, value in row.items()}


def _number(value: str) -> str | int | float | None:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII):
        return value or None
    return float(value) if "." in value else int(value)


def _period(query: QueryParams) -> tuple[date, date]:
    if "date" in query and ("since" in query or "until" in query):
        raise RefusedError(400, "give either date, or since and until")
    if "date" in query:
        return (_day(query, "date"),) * 2
    since, until = _day(query, "since"), _day(query, "until")
    if until < since:
        raise RefusedError(400, f"until={until} is before since={since}")
    return since, until


def _day(query: QueryParams, name: str) -> date:
    text = query.get(name, "")
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError as error:
        raise RefusedError(400, f"{name}={text} is not a day of the calendar") from error
    raise RefusedError(400, f"{name}={text or 'missing'}: give date, or since and until, as YYYY-MM-DD")


def _whole(query: QueryParams, name: str, default: int, maximum: int | None) -> int:
    text = query.get(name, str(default))
    allowed = "1 or more" if maximum is None else f"1 to {maximum}"
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < 1 or (maximum is not None and int(text) > maximum):
        raise RefusedError(400, f"{name}={text}: allowed: {allowed}")
    return int(text)
