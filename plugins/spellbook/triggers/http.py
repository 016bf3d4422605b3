"""A trigger that waits for an HTTP API.

The provider's (6.3.0) follows redirects to any host, and after any error other than 404 it retries immediately and
endlessly, and so floods a server that is down: https://github.com/apache/airflow/issues/69903
"""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseTrigger, TriggerEvent
from typing_extensions import override

from include.core.errors import UpstreamError
from include.core.http.client import HttpApi, connection_url
from include.core.http.connection_headers import connection_headers
from include.core.http.egress import Egress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow.sdk import Connection


async def request(connection: Connection, endpoint: str, parameters: dict[str, str]) -> None:
    """Send a GET request; return if it succeeds.

    Args:
        connection: host, port, schema (``https``); login and password (basic) or a password only (bearer token);
            extra: headers.
        endpoint: path below the connection's URL.
        parameters: query parameters.

    Raises:
        ConfigurationError: the connection is invalid.
        UpstreamError: the request failed.
    """
    base, token = connection_url(connection), "" if connection.login else connection.password or ""
    api = HttpApi(connection.conn_id, Egress.to(base), token=token, headers=connection_headers(connection))
    await api.fetch(io.BytesIO(), f"{base}/{endpoint.lstrip('/')}", parameters)


class PacedHttpTrigger(BaseTrigger):
    """Fires when a request succeeds; waits ``poke_interval`` seconds, or ``Retry-After``, after any error.

    Args:
        http_conn_id: connection, see :func:`request`.
        endpoint: path below the connection's URL.
        request_params: query parameters.
        poke_interval: seconds between two requests.
    """

    def __init__(self, http_conn_id: str, endpoint: str, request_params: dict[str, str], poke_interval: float) -> None:
        super().__init__()
        self.http_conn_id = http_conn_id
        self.endpoint = endpoint
        self.request_params = request_params
        self.poke_interval = poke_interval

    @override
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments."""
        names = ("http_conn_id", "endpoint", "request_params", "poke_interval")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once."""
        while True:
            try:
                await request(await BaseHook.aget_connection(self.http_conn_id), self.endpoint, self.request_params)
            except UpstreamError as error:
                pause = max(self.poke_interval, getattr(error, "retry_after", None) or 0)
                self.log.info("not successful yet, retrying in %g s: %s", pause, error)
            else:
                yield TriggerEvent(True)
                return
            await asyncio.sleep(pause)
