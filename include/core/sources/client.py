"""The client of a source's API: fetches a day's rows, page by page, as the source's YAML declares."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from include.core import exact_json
from include.core.errors import ConfigurationError, PermanentUpstreamError, TransientUpstreamError
from include.core.extras import Extras
from include.core.http.client import HttpApi, Limits, connection_url
from include.core.http.connection_headers import connection_headers
from include.core.http.egress import Egress
from include.core.http.rate_limit import RateLimiter
from include.core.http.responses import error_in, is_transient
from include.core.replay import Rows
from include.core.sources.api import WHOLE
from include.core.sources.paging import Pages, first_request

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from airflow.sdk import Connection

    from include.core.http.responses import Response
    from include.core.sources.model import Source
    from include.core.sources.paging import Page, Request

CALLS_PER_MINUTE = 60
REDIRECTS = 3
MEGABYTE = 1_000_000
MOVED = {
    "allowed_hosts": "api.allowed_hosts",
    "calls_per_minute": "limits.calls_per_minute",
    "deadline": "limits.deadline",
}
"""Fields of a source's YAML that were extras of the connection, which Airflow's HTTP hook sends as headers."""


@dataclass(frozen=True)
class SourceClient:
    """The API of one source.

    Attributes:
        source: what is requested.
        api: makes the calls, within the source's bounds.
        base: URL that the source's path is appended to.
    """

    source: Source
    api: HttpApi
    base: str

    @classmethod
    def of(
        cls, connection: Connection, source: Source, warehouse_uri: str, calls_per_minute: int | None = None
    ) -> Self:
        """Return the client of a connection to an API.

        Args:
            connection: host, port, schema (``https``); a bearer token as password, or a login and password (basic);
                extra: headers, as for Airflow's HTTP hook.
            source: what is requested; bounds the calls.
            warehouse_uri: database in which the calls of all workers are counted.
            calls_per_minute: what the sources on the connection may use together, see
                :func:`include.core.sources.budget.calls_per_minute`; default: what the source states, or 60.

        Raises:
            ConfigurationError: naming connection, field and value.
        """
        base, key = connection_url(connection), source.api.key
        _refuse_moved(connection, source)
        token = "" if connection.login or key else connection.password or ""
        if key and not connection.password:
            raise ConfigurationError(
                f"connection {connection.conn_id!r}: password: empty; set it to the key that api.key in"
                f" {source.name}.yaml sends"
            )
        headers = connection_headers(connection)
        if key and key.header:
            headers[key.header] = connection.password or ""
        limits = Limits(deadline=source.limits.deadline, size=source.limits.megabytes * MEGABYTE, redirects=REDIRECTS)
        calls = calls_per_minute or source.limits.calls_per_minute or CALLS_PER_MINUTE
        api = HttpApi(
            f"source {source.name}",
            Egress.to(base, *source.api.allowed_hosts, setting=f"api.allowed_hosts in {source.name}.yaml"),
            RateLimiter(warehouse_uri, connection.conn_id, calls=calls),
            limits,
            secrets={key.parameter: connection.password or ""} if key and key.parameter else {},
            token=token,
            headers=headers,
        )
        return cls(source, api, base)

    def rows(self, day: dt.date) -> Rows:
        """Return the rows of a day as received; further pages are fetched lazily.

        Raises (also while the rows are read):
            ForbiddenAddressError: a link may not be called.
            PermanentUpstreamError: the API rejects the request, or its response isn't in the declared format.
            TransientUpstreamError: temporarily no usable response, the pages take too long, or the row count differs
                from the announced one.
        """
        request = first_request(self.source, f"{self.base}{self.source.path}", day)
        end = time.monotonic() + self.source.limits.duration
        first = self.api.get(request.url, dict(request.query))
        return Rows(self._rows(request, first, day, end), first.replayed_from)

    def _rows(self, request: Request, response: Response, day: dt.date, end: float) -> Iterator[Any]:
        """Yield the rows of the first page, whose response is known, and of those that are called before ``end``."""
        limits, name = self.source.limits, self.source.name
        pages, seen, called = Pages(self.source, day, self.api.mask), {request.url, str(request)}, 1
        most_pages = math.ceil(limits.rows / limits.page_size) + 1
        while True:
            page = self._page(pages, request, response)
            if pages.received > limits.rows:
                raise pages.error(f"more than {limits.rows} rows; if that is correct, raise limits.rows in {name}.yaml")
            yield from page.rows
            following = pages.following(page)
            if not following or (not page.rows and pages.total not in {None, pages.received}):  # the latter is reported
                break
            if str(following) in seen:
                raise pages.error(f"page {following} is repeated")
            if not page.rows:
                raise pages.error(f"a page without rows has a next page, {following}; have the API corrected")
            if called == most_pages:
                raise pages.error(
                    f"more than {most_pages} pages; if that is correct, lower limits.page_size in {name}.yaml to what"
                    " the API returns, or raise limits.rows"
                )
            if time.monotonic() > end:
                of_total = "" if pages.total is None else f" of {pages.total}"
                raise pages.error(
                    f"{called} page(s) with {pages.received}{of_total} rows took longer than {limits.duration} s; if"
                    f" that is correct, raise limits.duration in {name}.yaml",
                    TransientUpstreamError,
                )
            seen.add(str(following))
            called += 1
            request, response = following, self.api.get(following.url, dict(following.query))
        pages.require_complete()

    def _page(self, pages: Pages, request: Request, response: Response) -> Page:
        body, rows = exact_json.loads(response.text), self.source.api.rows
        if reason := error_in(body, "" if rows == WHOLE else rows.partition(".")[0]):
            kind = TransientUpstreamError if is_transient(reason) else PermanentUpstreamError
            raise pages.error(f"{request.url} answered with an error: {reason}", kind)
        return pages.read(request, body, response.headers)


def _refuse_moved(connection: Connection, source: Source) -> None:
    """Refuse the extras that a source's YAML now has.

    Raises:
        ConfigurationError: naming the extras and the fields of the YAML.
    """
    extras = Extras.of(connection)
    if moved := [f"{name} is {field}" for name, field in MOVED.items() if name in extras.values]:
        raise ConfigurationError(
            f"{extras.owner}: extra: it would be sent as headers. Remove these extras, and set what they were in"
            f" {source.name}.yaml: {', '.join(moved)}"
        )
