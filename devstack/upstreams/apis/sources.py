"""The sales, marketing and support sources: rows by day, paginated.

``GET /sales?date=2010-12-20&page=1&limit=500`` (or ``since=…&until=…``, both days inclusive) returns::

    {"source": "sales", "since": "2010-12-20", "until": "2010-12-20", "page": 1, "pages": 4, "limit": 500,
     "total": 1763, "next": "/sales?…&page=2", "data": [{"InvoiceNo": "C539486", "Quantity": -12, …}, …]}

A recorded day has its rows in recorded order and with recorded values: cancellations, repeated rows, ``17850.0`` as a
customer's id, local times; an empty cell is null. Any other day up to today has the rows of a recorded one, with dates
moved and its own identifiers (:mod:`devstack.upstreams.replay`). An invalid parameter returns 400, a day after today
or a page after the last 404.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.routing import Route

from devstack.upstreams import replay
from devstack.upstreams.answers import RefusedError, json_response, source_error
from devstack.upstreams.records import DATA, Dataset, read_csv

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

Row = dict[str, str | int | float | None]

PARAMETERS = ("date", "since", "until", "page", "limit")
DEFAULT_LIMIT = 500
MAX_LIMIT = 1000

INVOICES_A_DAY = 250
RECORDED_INVOICES = range(2145 * INVOICES_A_DAY, 2160 * INVOICES_A_DAY)
"""Range of the recorded invoice numbers; those of one day span less than :data:`INVOICES_A_DAY`."""
FREE_BLOCKS = (1_000_000 - len(RECORDED_INVOICES)) // INVOICES_A_DAY


SALES_RECORDING = Dataset(
    "sales",
    ("/sales", "/jobs"),
    "2010-12-01",
    "2010-12-22",
    "CC BY 4.0",
    "D. Chen, S. L. Sain, K. Guo (2012), Online Retail, UCI Machine Learning Repository, doi 10.24432/C5BW33",
    "Recorded days: 2010-12-01, -19, -20, -21, -22.",
)
MARKETING_RECORDING = Dataset(
    "marketing",
    ("/marketing",),
    "2010-12-01",
    "2010-12-22",
    "CC BY 4.0",
    "S. Moro, P. Cortez, P. Rita (2014), Bank Marketing, UCI Machine Learning Repository, doi 10.24432/C5K306",
    "Recorded without dates: the server distributes the rows, in file order, over 22 delivery days.",
)
SUPPORT_RECORDING = Dataset(
    "support",
    ("/support",),
    "2025-01-01",
    "2025-03-14",
    "no restriction on use (NYC Open Data)",
    "City of New York, NYC Open Data, 311 Service Requests (erm2-nwe9)",
    "Animal requests by created_at; times are New York local time without offset.",
)


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
    """Return the campaign rows; they have no dates and are spread evenly over the delivery days, in file order."""
    rows = [_typed(row, frozenset()) for row in read_csv("marketing/bank_additional.csv", delimiter=";")]
    first, last = map(date.fromisoformat, (MARKETING_RECORDING.first_day, MARKETING_RECORDING.last_day))
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


def invoice_no(recorded: str, day: date) -> str:
    """Return the number of a recorded invoice on another day: six digits, as the contract requires.

    Each day has its own block of numbers, distinct from those of recorded days and of the 3,984 days before and after.
    """
    prefix, number = recorded[:-6], int(recorded[-6:])
    first = RECORDED_INVOICES.stop + day.toordinal() % FREE_BLOCKS * INVOICES_A_DAY
    return f"{prefix}{(first + number % INVOICES_A_DAY) % 1_000_000:06}"


def ticket_id(recorded: str, day: date) -> str:
    """Return the number of a recorded request on another day: its own number followed by the day."""
    return f"{recorded}{day:%Y%m%d}"


@dataclass(frozen=True)
class Source:
    """One source; its name is its path.

    Attributes:
        load: returns its rows by recorded day, in order.
        zone: time zone of its times.
        times: fields with times, which are moved with the day.
        identifiers: function that returns the identifier on another day, by field name.
    """

    name: str
    load: Callable[[], dict[date, list[Row]]]
    zone: ZoneInfo
    times: tuple[str, ...] = ()
    identifiers: Mapping[str, Callable[[str, date], str]] = field(default_factory=dict)

    def recorded_day(self, day: date) -> date | None:
        """Return the recorded day that is replayed for ``day``; None if that is in the future."""
        return replay.in_turn(day, self.load())

    def rows(self, day: date) -> list[Row]:
        """Return the rows of a day.

        Raises:
            LookupError: if the day is in the future.
        """
        recorded = self.recorded_day(day)
        if recorded is None:
            raise LookupError(self.unavailable_message(day, day))
        return [self.move_row(day, recorded, row) for row in self.load()[recorded]]

    def move_row(self, day: date, recorded: date, row: Row) -> Row:
        """Return a row of the day ``recorded``, moved to ``day``."""
        if day == recorded:
            return row
        changed: Row = {name: change(str(row[name]), day) for name, change in self.identifiers.items()}
        for name in self.times:
            if time := row[name]:
                changed[name] = replay.shift_time(str(time), day - recorded, self.zone)
        return row | changed

    def unavailable_message(self, since: date, until: date) -> str:
        """Return the error message for days after today."""
        return f"{self.name} has no rows from {since} to {until} yet; its last day is {replay.today()}"

    async def page(self, request: Request) -> Response:
        """``GET /<name>``: one page of the requested days."""
        try:
            return self._page(request.query_params)
        except RefusedError as error:
            return json_response(source_error(str(error), error.status), error.status)

    def _page(self, query: QueryParams) -> Response:
        unknown = sorted(set(query) - set(PARAMETERS))
        if unknown:
            raise RefusedError(400, f"unknown parameter {', '.join(unknown)}; allowed: {', '.join(PARAMETERS)}")
        since, until = period(query)
        page, limit = (
            positive_integer(query, "page", 1, None),
            positive_integer(query, "limit", DEFAULT_LIMIT, MAX_LIMIT),
        )
        requested = (since + timedelta(number) for number in range((until - since).days + 1))
        days = [(day, recorded) for day in requested if (recorded := self.recorded_day(day))]
        if not days:
            raise RefusedError(404, self.unavailable_message(since, until))
        total = sum(len(self.load()[recorded]) for _, recorded in days)
        pages = -(-total // limit)
        if page > pages:
            raise RefusedError(404, f"page={page} is after the last page, {pages}")
        next_query = {"since": since, "until": until, "page": page + 1, "limit": limit}
        return json_response(
            {
                "source": self.name,
                "since": since.isoformat(),
                "until": until.isoformat(),
                "page": page,
                "pages": pages,
                "limit": limit,
                "total": total,
                "next": f"/{self.name}?{urlencode(next_query)}" if page < pages else None,
                "data": self._slice(days, (page - 1) * limit, page * limit),
            },
            headers=replay.replay_header(days),
        )

    def _slice(self, days: list[tuple[date, date]], start: int, stop: int) -> list[Row]:
        """Return the rows from ``start`` up to ``stop`` of all days."""
        page: list[Row] = []
        for day, recorded in days:
            rows = self.load()[recorded]
            page += [self.move_row(day, recorded, row) for row in rows[max(start, 0) : max(stop, 0)]]
            start, stop = start - len(rows), stop - len(rows)
        return page


SALES = Source("sales", sales, ZoneInfo("Europe/London"), ("InvoiceDate",), {"InvoiceNo": invoice_no})
MARKETING = Source("marketing", marketing, ZoneInfo("UTC"))
SUPPORT = Source(
    "support",
    support,
    ZoneInfo("America/New_York"),
    ("created_at", "closed_at", "updated_at"),
    {"ticket_id": ticket_id},
)
SOURCES = (SALES, MARKETING, SUPPORT)


def _typed(row: dict[str, str], text: frozenset[str]) -> Row:
    """Return the row with numbers parsed, except in the columns ``text``, and None for empty cells."""
    return {name: value if name in text and value else _number(value) for name, value in row.items()}


def _number(value: str) -> str | int | float | None:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII):
        return value or None
    return float(value) if "." in value else int(value)


def period(query: QueryParams) -> tuple[date, date]:
    """Return the first and the last day that ``date``, or ``since`` and ``until``, request.

    Raises:
        RefusedError: if they are missing or invalid.
    """
    if "date" in query and ("since" in query or "until" in query):
        raise RefusedError(400, "set either date, or since and until")
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
        raise RefusedError(400, f"{name}={text} is not a valid date") from error
    raise RefusedError(400, f"{name}={text or 'missing'}: set date, or since and until, as YYYY-MM-DD")


def positive_integer(query: QueryParams, name: str, default: int, maximum: int | None) -> int:
    """Return a parameter that is a whole number, 1 or more.

    Raises:
        RefusedError: if it is invalid.
    """
    text = query.get(name, str(default))
    allowed = "1 or more" if maximum is None else f"1 to {maximum}"
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < 1 or (maximum is not None and int(text) > maximum):
        raise RefusedError(400, f"{name}={text}: allowed: {allowed}")
    return int(text)


def routes(_s3: str | None) -> list[Route]:
    """Return the routes of the sources."""
    return [Route(f"/{source.name}", source.page) for source in SOURCES]
