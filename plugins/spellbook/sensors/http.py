"""A sensor that waits for an HTTP API; it takes the place of the provider's, see :mod:`spellbook.triggers.http`."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseSensorOperator
from typing_extensions import override

from include.core.errors import PermanentUpstreamError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class PacedHttpSensor(BaseSensorOperator):
    """Waits without a worker until a GET request succeeds; also takes ``timeout`` and other sensor arguments.

    The first request is sent by a worker: an error other than 404 fails the task. Further requests are sent every
    ``poke_interval`` seconds until ``timeout``. Redirects aren't followed.

    Args:
        http_conn_id: connection, see :func:`spellbook.triggers.http.request`; templated.
        endpoint: path below the connection's URL; templated.
        request_params: query parameters; templated.
    """

    template_fields: Sequence[str] = ("http_conn_id", "endpoint", "request_params")

    def __init__(
        self,
        *,
        endpoint: str,
        http_conn_id: str = "http_default",
        request_params: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.http_conn_id = http_conn_id
        self.endpoint = endpoint
        self.request_params = request_params or {}

    @override
    def execute(self, context: Context) -> None:
        """Send a request, then defer if it wasn't successful yet.

        Raises:
            ConfigurationError: the connection is invalid.
            UpstreamError: the request failed with an error other than 404.
        """
        from include.core.http.transport import run
        from spellbook.triggers.http import PacedHttpTrigger, request

        try:
            run(request, BaseHook.get_connection(self.http_conn_id), self.endpoint, self.request_params)
        except PermanentUpstreamError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self.log.info("not successful yet: %s", error)
            self.defer(
                trigger=PacedHttpTrigger(self.http_conn_id, self.endpoint, self.request_params, self.poke_interval),
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )

    def execute_complete(self, context: Context, event: bool) -> None:  # noqa: ARG002 (Airflow's names)
        """Finish: the request has succeeded."""
        self.log.info("the request has succeeded")


def PacedHttpTrigger(*, endpoint: str, http_conn_id: str, data: dict[str, str], poke_interval: float, **_: Any) -> Any:  # noqa: N802
    """Return the trigger of a task that the first release deferred, which had this name and these arguments.

    Without it, Airflow would skip the task (``soft_fail``), and what it waited for would never be loaded.
    """
    from spellbook.triggers import http

    return http.PacedHttpTrigger(http_conn_id, endpoint, data, poke_interval)
