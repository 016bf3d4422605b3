"""The client of a source's API: fetches a day's rows, page by page.

API format: ``GET {path}?since=YYYY-MM-DD&until=YYYY-MM-DD&limit=N`` returns ``{"data": [rows], "total": number of rows
of all pages, "next": URL of the next page or null}``.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from include.core import exact_json
from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.extras import Extras
from include.core.http.client import HttpApi, Limits, connection_url
from include.core.http.egress import Egress, joined
from include.core.http.rate_limit import RateLimiter
from include.core.http.responses import error_in, is_transient
from include.core.replay import Rows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from airflow.sdk import Connection

    from include.core.sources.model import Source

CALLS_PER_MINUTE = 60
REDIRECTS = 3
MEGABYTE = 1_000_000


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
    def of(cls, connection: Connection, source: Source, warehouse_uri: str) -> Self:
        """Return the client of a connection to an API.

        Args:
            connection: host, port, schema (``https``), a bearer token as password; extra: ``calls_per_minute``,
                ``deadline`` (seconds), ``allowed_hosts`` (URLs that links and redirects may lead to).
            source: what is requested; bounds the calls.
            warehouse_uri: database in which the calls of all workers are counted.

        Raises:
            ConfigurationError: naming connection, field and value.
        """
        base, extras = connection_url(connection), Extras.of(connection)
        limits = Limits(
            deadline=extras.positive_number("deadline", source.limits.deadline, "seconds"),
            size=source.limits.megabytes * MEGABYTE,
            redirects=REDIRECTS,
        )
        calls = int(extras.positive_number("calls_per_minute", CALLS_PER_MINUTE))
        api = HttpApi(
            f"source {source.name}",
            Egress.to(base, *extras.texts("allowed_hosts", "URLs")),
            RateLimiter(warehouse_uri, connection.conn_id, calls=max(calls, 1)),
            limits,
            token=connection.password or "",
        )
        return cls(source, api, base)

    def rows(self, day: dt.date) -> Rows:
        """Return the rows of a day as received; further pages are fetched lazily.

        Raises (also while the rows are read):
            ForbiddenAddressError: a link may not be called.
            PermanentUpstreamError: the API rejects the request, or its response isn't in the format above.
            TransientUpstreamError: temporarily no usable response, the pages take too long, or the row count differs
                from ``total``.
        """
        url = f"{self.base}{self.source.path}"
        query = {"since": day.isoformat(), "until": day.isoformat(), "limit": str(self.source.limits.page_size)}
        end = time.monotonic() + self.source.limits.duration
        first = self.api.get(url, query)
        return Rows(_rows(self.api, url, self.source, day, first.text, end), first.replayed_from)


def _rows(api: HttpApi, url: str, source: Source, day: dt.date, text: str, end: float) -> Iterator[Any]:
    """Yield the rows of the first page, whose response is ``text``, and of the pages that are called before ``end``."""
    received, seen = 0, {url}
    most_pages = math.ceil(source.limits.rows / source.limits.page_size) + 1
    while True:
        page = exact_json.loads(text)
        if reason := api.mask(error_in(page, "data")):
            kind = TransientUpstreamError if is_transient(reason) else PermanentUpstreamError
            raise kind(f"source {source.name}, {day}: {url} answered with an error: {reason}")
        rows, total, next_url = _parse_page(page, source, day)
        received += len(rows)
        if received > source.limits.rows:
            raise PermanentUpstreamError(
                f"source {source.name}, {day}: more than {source.limits.rows} rows; if that is correct, raise"
                f" limits.rows in {source.name}.yaml"
            )
        yield from rows
        if not next_url or (not rows and received != total):  # the latter is reported below
            break
        url = joined(url, next_url)
        if url in seen:
            raise PermanentUpstreamError(f"source {source.name}, {day}: page {url} is repeated")
        if not rows:
            raise PermanentUpstreamError(
                f"source {source.name}, {day}: a page without rows has a next page, {url}; have the API corrected"
            )
        if len(seen) == most_pages:
            raise PermanentUpstreamError(
                f"source {source.name}, {day}: more than {most_pages} pages; if that is correct, lower limits.page_size"
                f" in {source.name}.yaml to what the API returns, or raise limits.rows"
            )
        if time.monotonic() > end:
            raise TransientUpstreamError(
                f"source {source.name}, {day}: {len(seen)} page(s) with {received} of {total} rows took longer than"
                f" {source.limits.duration} s; if that is correct, raise limits.duration in {source.name}.yaml"
            )
        seen.add(url)
        text = api.get(url).text
    if received != total:
        raise TransientUpstreamError(
            f"source {source.name}, {day}: {total} rows announced, {received} received; they changed during the read"
        )


def _parse_page(page: Any, source: Source, day: dt.date) -> tuple[list[Any], int, str | None]:
    problem = f"source {source.name}, {day}: the response isn't in the agreed format: "
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise PermanentUpstreamError(problem + "data must be a list of rows")
    total, next_url = page.get("total"), page.get("next")
    if not isinstance(total, int) or isinstance(total, bool):
        raise PermanentUpstreamError(f"{problem}total must be the number of rows, not {total!r}")
    if next_url is not None and not isinstance(next_url, str):
        raise PermanentUpstreamError(f"{problem}next must be a URL or null, not {next_url!r}")
    return page["data"], total, next_url
