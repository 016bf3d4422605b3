"""The pages of a day: what to request first, where the rows are in a response, and what to request next.

A day is complete if the number of its rows is the announced one, or if the API says clearly which page is the last.
Anything else is an error, since incomplete input must never be published.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from include.core.errors import (
    ForbiddenAddressError,
    PermanentUpstreamError,
    TransientUpstreamError,
    UpstreamError,
)
from include.core.http.egress import joined
from include.core.sources.api import WHOLE, Cursor, LinkHeader, NextUrl, Numbered, Offset, SinglePage
from include.core.sources.links import next_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from include.core.sources.api import Api
    from include.core.sources.model import Source

DAY = dt.timedelta(days=1)
ABSENT = object()


class Request(NamedTuple):
    """A page's URL and its query parameters."""

    url: str
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return the URL with its parameters, for messages."""
        return self.url + "".join(
            f"{'&' if index else '?'}{name}={value}" for index, (name, value) in enumerate(self.query)
        )

    def using(self, name: str, value: str) -> Request:
        """Return the request with one parameter set."""
        return Request(self.url, tuple((dict(self.query) | {name: value}).items()))


class Page(NamedTuple):
    """A page: its request, the parsed response and its header ``Link``, its rows, and the announced number of rows."""

    request: Request
    body: Any
    link: str
    rows: list[Any]
    total: int | None


def first_request(source: Source, url: str, day: dt.date) -> Request:
    """Return the request for the first page of a day."""
    api, query = source.api, dict(source.api.query)
    bounds = [dt.datetime.combine(each, dt.time(), source.zone) for each in (day, day + DAY)]
    query[api.dates.start] = _time(api, bounds[0])
    if api.dates.end:
        query[api.dates.end] = _time(api, bounds[1], last=api.dates.includes_end)
    if api.paging.size_parameter:
        query[api.paging.size_parameter] = str(source.limits.page_size)
    if isinstance(api.paging, Numbered):
        query[api.paging.parameter] = str(api.paging.first)
    if isinstance(api.paging, Offset):
        query[api.paging.parameter] = "0"
    return Request(url, tuple(query.items()))


def _time(api: Api, time: dt.datetime, *, last: bool = False) -> str:
    """Return a time as the API reads it; with ``last`` the one before it, in the format's smallest unit."""
    match api.dates.format:
        case "date":
            return (time.date() - DAY if last else time.date()).isoformat()
        case "unix":
            return str(int(time.timestamp()) - last)
        case "datetime":
            exact = (time.astimezone(dt.UTC) - dt.timedelta(microseconds=last)).astimezone(time.tzinfo)
            return exact.isoformat()


def find(body: Any, place: str) -> Any:
    """Return the value at a dotted path; :data:`ABSENT` if there is none."""
    if place == WHOLE:
        return body
    if not isinstance(body, dict):
        return ABSENT
    if place in body:
        return body[place]
    name, _, rest = place.partition(".")
    return find(body[name], rest) if rest and name in body else ABSENT


@dataclass
class Pages:
    """What was received of a day.

    Attributes:
        source: what is requested.
        day: the requested day.
        mask: masks the secrets in a text from the API.
        received: number of rows so far.
        total: number of rows that the API announces; ``None`` if it doesn't.
        pages: number of pages that the API announces; ``None`` if it doesn't.
        last: the last page.
    """

    source: Source
    day: dt.date
    mask: Callable[[str], str]
    received: int = 0
    total: int | None = None
    pages: int | None = None
    last: Page | None = None

    def read(self, request: Request, body: Any, headers: Mapping[str, str]) -> Page:
        """Return a page.

        Raises:
            PermanentUpstreamError: the response isn't as declared, or repeats the page before.
        """
        api = self.source.api
        rows, total = find(body, api.rows), find(body, api.total) if api.total else None
        if not isinstance(rows, list):
            place = "the response" if api.rows == WHOLE else api.rows
            raise self._format_error(f"{place} must be a list of rows", "rows")
        if api.total and (not isinstance(total, int) or isinstance(total, bool)):
            shown = "nothing" if total is ABSENT else repr(total)
            raise self._format_error(f"{api.total} must be the number of rows, not {shown}", "total")
        page = Page(request, body, headers.get("Link", ""), rows, total)
        before = self.last
        if isinstance(api.paging, Numbered | Offset) and before and rows and rows == before.rows:
            raise self.error(
                f"page {request} has the same rows as {before.request}: the API ignores {api.paging.parameter}"
            )
        if before and rows and total is None and isinstance(api.paging, Numbered | Offset) and self._is_short(before):
            raise self.error(
                f"page {before.request} has {len(before.rows)} rows, fewer than limits.page_size"
                f" ({self.source.limits.page_size}), yet another page with rows follows; set limits.page_size in"
                f" {self.source.name}.yaml to what the API returns at most, or have the API corrected"
            )
        self.received, self.total, self.last = self.received + len(rows), total, page
        return page

    def following(self, page: Page) -> Request | None:
        """Return the request for the next page; ``None`` after the last one.

        Raises:
            ForbiddenAddressError: a link isn't a URL.
            PermanentUpstreamError: the response isn't as declared, or it can't be told whether the page is the last.
            TransientUpstreamError: the announced number of pages has changed.
        """
        match self.source.api.paging:
            case SinglePage() as paging:
                if paging.size_parameter and self.total is None and not self._is_short(page):
                    raise self.error(
                        f"{len(page.rows)} rows, as many as asked for, so there may be more; raise limits.page_size"
                        f" in {self.source.name}.yaml, or declare api.paging"
                    )
                return None
            case Numbered() as paging:
                number = int(dict(page.request.query)[paging.parameter]) + 1
                more = self._has_more(page) if paging.pages is None else number - paging.first < self._pages(page)
                return page.request.using(paging.parameter, str(number)) if more else None
            case Offset() as paging:
                return page.request.using(paging.parameter, str(self.received)) if self._has_more(page) else None
            case Cursor() as paging:
                cursor = self._declared(page, paging.cursor, "cursor", absent_at_end=paging.absent_at_end)
                if not isinstance(cursor, str | int) or isinstance(cursor, bool):
                    raise self._format_error(
                        f"{paging.cursor} must be a text or a number, not {cursor!r}", "paging.cursor"
                    )
                return page.request.using(paging.parameter, str(cursor)) if cursor != "" else None
            case NextUrl() as paging:
                url = self._declared(page, paging.url, "url", absent_at_end=paging.absent_at_end)
                if not isinstance(url, str):
                    raise self._format_error(f"{paging.url} must be a URL or null, not {url!r}", "paging.url")
                return self._at(page, url) if url else None
            case LinkHeader():
                return self._linked(page)

    def require_complete(self) -> None:
        """Check that as many rows were received as were announced.

        Raises:
            TransientUpstreamError: if not.
        """
        if self.total is not None and self.received != self.total:
            raise self.error(
                f"{self.total} rows announced, {self.received} received; they changed during the read",
                TransientUpstreamError,
            )

    def error(self, problem: str, kind: type[UpstreamError] = PermanentUpstreamError) -> UpstreamError:
        """Return the error that names source and day."""
        return kind(self.mask(f"source {self.source.name}, {self.day}: {problem}"))

    def _format_error(self, problem: str, field: str) -> UpstreamError:
        return self.error(
            f"the response isn't in the declared format (api.{field} in {self.source.name}.yaml): {problem}"
        )

    def _is_short(self, page: Page) -> bool:
        return len(page.rows) < self.source.limits.page_size

    def _has_more(self, page: Page) -> bool:
        if self.total is not None:
            if self.total == len(page.rows) == self.received == self.source.limits.page_size:
                raise self.error(
                    f"{self.total} rows announced, as many as the first page has, so it may be the number of its rows"
                    f" alone; raise limits.page_size in {self.source.name}.yaml, or correct api.total"
                )
            return bool(page.rows) and self.received < self.total
        ends_short = getattr(self.source.api.paging, "end", "") == "short"
        return bool(page.rows) and not (ends_short and self._is_short(page))

    def _pages(self, page: Page) -> int:
        """Return the number of pages."""
        place = str(getattr(self.source.api.paging, "pages", ""))
        pages = find(page.body, place)
        if not isinstance(pages, int) or isinstance(pages, bool) or pages < 0:
            shown = "nothing" if pages is ABSENT else repr(pages)
            raise self._format_error(f"{place} must be the number of pages, not {shown}", "paging.pages")
        if self.pages not in {None, pages}:
            raise self.error(f"{self.pages} pages announced, then {pages}; they changed", TransientUpstreamError)
        self.pages = pages
        return pages

    def _declared(self, page: Page, place: str, field: str, *, absent_at_end: bool) -> Any:
        """Return the value that leads to the next page; an empty text if there is none."""
        value = find(page.body, place)
        if value is ABSENT and self.total is None and not absent_at_end:
            raise self._format_error(
                f"{place} is absent, so it can't be told whether the page is the last; correct the path, or set"
                " absent_at_end: true if the API omits it there",
                f"paging.{field}",
            )
        return "" if value is ABSENT or value is None else value

    def _at(self, page: Page, link: str) -> Request:
        """Return the request for a link of a page; it may contain the key."""
        try:
            return Request(joined(page.request.url, link))
        except ForbiddenAddressError as error:
            raise ForbiddenAddressError(str(self.error(str(error)))) from None

    def _linked(self, page: Page) -> Request | None:
        try:
            link = next_link(page.link)
        except ValueError as error:
            raise self.error(f"the header Link of {page.request} is malformed: {error}") from error
        if not page.link and self.total is None and self.source.api.paging.size_parameter and not self._is_short(page):
            raise self.error(
                f"page {page.request} is full, but has no header Link, so it can't be told whether it is the last;"
                f" raise or lower limits.page_size in {self.source.name}.yaml, or declare api.total"
            )
        return self._at(page, link) if link else None
