"""Asks an API for one page, for the draft of a source."""

from __future__ import annotations

import datetime as dt
import os
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from airflow.sdk import Connection

from devstack import own_settings
from devstack.environment import connection_uri, local_url
from devstack.stack import Stack
from devstack.state import State
from include.core import exact_json
from include.core.http.client import HttpApi, Limits, connection_url
from include.core.http.connection_headers import connection_headers
from include.core.http.egress import Egress, origin
from include.core.settings import PRIVATE_NETWORKS, SOURCES
from include.core.sources.scaffold import Page

SECONDS = 60.0
MAX_BYTES = 50_000_000
REDIRECTS = 3


class Answer(NamedTuple):
    """A page, the path that it has below its connection, and the connection's id and URL."""

    page: Page
    path: str
    conn_id: str
    base: str


def ask(name: str, url: str) -> Answer:
    """Ask for the page at ``url``; without parameters, for yesterday, as sources do.

    Args:
        name: of the source.
        url: below the connection ``sources_default``, or a whole one, for which ``<name>_default`` is used.

    Raises:
        ConfigurationError: the connection or the URL is invalid.
        ForbiddenAddressError: the URL may not be called.
        StackError: the sample upstreams don't start.
        UpstreamError: no usable response.
    """
    own_settings.load()
    os.environ.setdefault(PRIVATE_NETWORKS.name, PRIVATE_NETWORKS.embedded)
    parts = urlsplit(url)
    conn_id = f"{name}_default" if parts.scheme else SOURCES.conn_id
    connection = _connection(conn_id, f"{parts.scheme}://{parts.netloc}")
    base = connection_url(connection)
    if parts.scheme and origin(base) != origin(url):
        base, connection = f"{parts.scheme}://{parts.netloc}", Connection(conn_id=conn_id)
    path = f"/{parts.path.lstrip('/')}".removeprefix(urlsplit(base).path if parts.scheme else "")
    yesterday = (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)).isoformat()
    query = dict(parse_qsl(parts.query)) or {"since": yesterday, "until": yesterday, "limit": "500"}
    api = HttpApi(
        f"the API of {name}",
        Egress.to(base),
        limits=Limits(deadline=SECONDS, size=MAX_BYTES, redirects=REDIRECTS),
        token="" if connection.login else connection.password or "",
        headers=connection_headers(connection),
    )
    response = api.get(f"{base}{path}", query)
    return Answer(Page(query, exact_json.loads(response.text), response.headers.get("Link", "")), path, conn_id, base)


def _connection(conn_id: str, url: str) -> Connection:
    """Return a user's own connection; else the sample upstreams, which are started, or ``url``."""
    if value := os.environ.get(f"AIRFLOW_CONN_{conn_id.upper()}"):
        return Connection.from_uri(connection_uri(value), conn_id=conn_id)
    if conn_id == SOURCES.conn_id:
        stack = Stack(State.open())
        stack.ensure((SOURCES.service,))
        url = local_url(stack.state, SOURCES.service)
    return Connection(conn_id=conn_id, host=url)
