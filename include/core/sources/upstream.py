"""Ask a source's API for one day, page by page.

The API's form: ``GET {path}?since=YYYY-MM-DD&until=YYYY-MM-DD&limit=N`` answers ``{"data": [rows], "total": rows of the
whole answer, "next": URL of the next page or null}``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from include.core.errors import ConfigurationError, PermanentUpstreamError, TransientUpstreamError
from include.core.http.client import HttpApi, Limits, connection_url
from include.core.http.egress import Egress
from include.core.http.rate_limit import RateLimiter
from include.core.replay import Rows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from include.core.sources.model import Source

CALLS_PER_MINUTE = 60
REDIRECTS = 3
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Login:
    """What a connection says about an API.

    Attributes:
        conn_id: the connection.
        host: host, or URL.
        schema: ``http`` or ``https``, if the host is no URL.
        port: port, if it isn't the scheme's own.
        password: bearer token; empty if none is asked for.
        extra: ``calls_per_minute``, ``deadline`` (seconds), ``allowed_hosts`` (URLs that links and redirects may
            lead to).
    """

    conn_id: str
    host: str | None
    schema: str | None
    port: int | None
    password: str | None
    extra: Mapping[str, Any]

    @classmethod
    def of(cls, connection: Any) -> Login:
        """Read an Airflow connection."""
        return cls(
            connection.conn_id,
            connection.host,
            connection.schema,
            connection.port,
            connection.password,
            connection.extra_dejson,
        )


def api_of(login: Login, source: Source, warehouse_uri: str) -> tuple[HttpApi, str]:
    """Return the API that a connection describes, with the bounds of the source, and its base URL.

    Raises:
        ConfigurationError: naming connection, field and value.
    """
    base = connection_url(login.conn_id, login.host, login.schema, login.port)
    others = login.extra.get("allowed_hosts") or []
    if not isinstance(others, list) or not all(isinstance(other, str) for other in others):
        raise ConfigurationError(f"connection {login.conn_id!r}: extra.allowed_hosts: {others!r} isn't a list of URLs")
    limits = Limits(
        deadline=_positive(login, "deadline", source.limits.deadline),
        size=source.limits.megabytes * MEGABYTE,
        redirects=REDIRECTS,
    )
    calls = int(_positive(login, "calls_per_minute", CALLS_PER_MINUTE))
    limiter = RateLimiter(warehouse_uri, login.conn_id, calls=max(calls, 1))
    api = HttpApi(f"source {source.name}", Egress.to(base, *others), limiter, limits, token=login.password or "")
    return api, base


def rows_of(api: HttpApi, base: str, source: Source, day: dt.date) -> Rows:
    """Return the rows of one day as they came, in the order of the pages, which are asked for as the rows are read.

    Raises (also while the rows are read):
        ForbiddenAddressError: a link leads where no call may go.
        PermanentUpstreamError: the API refuses, or its answer isn't in the form above.
        TransientUpstreamError: no usable answer for now, or other than the announced number of rows came.
    """
    url = base + source.path
    query = {"since": day.isoformat(), "until": day.isoformat(), "limit": str(source.limits.page_size)}
    first = api.get(url, query)
    return Rows(_rows(api, url, source, day, first.text), first.replayed_from)


def _rows(api: HttpApi, url: str, source: Source, day: dt.date, text: str) -> Iterator[Any]:
    """Yield the rows of the first page, which ``url`` answered with ``text``, and of those that follow."""
    came, seen = 0, {url}
    while True:
        rows, total, following = _parts(json.loads(text), source, day)
        came += len(rows)
        if came > source.limits.rows:
            raise PermanentUpstreamError(
                f"source {source.name}, {day}: more than {source.limits.rows} rows come; if that is right, raise"
                f" limits.rows in {source.name}.yaml"
            )
        yield from rows
        if not following:
            break
        url = urljoin(url, following)
        if url in seen:
            raise PermanentUpstreamError(f"source {source.name}, {day}: page {url} leads to itself")
        seen.add(url)
        text = api.get(url, {}).text
    if came != total:
        raise TransientUpstreamError(
            f"source {source.name}, {day}: {total} rows were announced, {came} came; they changed while they were read"
        )


def _parts(page: Any, source: Source, day: dt.date) -> tuple[list[Any], int, str | None]:
    problem = f"source {source.name}, {day}: the answer isn't in the agreed form: "
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise PermanentUpstreamError(problem + "data must be a list of rows")
    total, following = page.get("total"), page.get("next")
    if not isinstance(total, int) or isinstance(total, bool):
        raise PermanentUpstreamError(f"{problem}total must be the number of rows, not {total!r}")
    if following is not None and not isinstance(following, str):
        raise PermanentUpstreamError(f"{problem}next must be a URL or null, not {following!r}")
    return page["data"], total, following


def _positive(login: Login, name: str, default: float) -> float:
    asked = login.extra.get(name)
    try:
        value = float(default if asked in {None, ""} else asked)
    except (TypeError, ValueError):
        value = 0
    if value <= 0:
        raise ConfigurationError(f"connection {login.conn_id!r}: extra.{name}: {asked!r} isn't a positive number")
    return value
