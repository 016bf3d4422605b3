"""The hook of the connection type ``etl_jobs``."""

from __future__ import annotations

from typing import ClassVar

from include.core.http.async_client import AsyncHttpApi
from include.core.http.client import HttpApi, connection_url
from include.core.http.egress import Egress
from include.domains.long_jobs.service import HINTS, LIMITS, NAME, POLL_LIMITS, AsyncJobService, JobService
from spellbook.hooks.base import ClientHook

EXAMPLE = "https://jobs.example.com"


class EtlJobHook(ClientHook):
    """Turns a connection into the client of a job service.

    Args:
        etl_job_conn_id: connection with host, port, schema (``https``); a bearer token as password, if required.
    """

    conn_name_attr: ClassVar[str] = "etl_job_conn_id"
    default_conn_name: ClassVar[str] = "etl_jobs_default"
    conn_type: ClassVar[str] = "etl_jobs"
    hook_name: ClassVar[str] = NAME

    def __init__(self, etl_job_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.etl_job_conn_id = etl_job_conn_id

    def get_conn(self) -> JobService:
        """Return the client for a task.

        Raises:
            ConfigurationError: if the connection's host isn't a host name or an http(s) URL.
        """
        connection = self.get_connection(self.etl_job_conn_id)
        base = connection_url(connection, EXAMPLE)
        api = HttpApi(NAME, Egress.to(base), None, LIMITS, token=connection.password or "", hints=HINTS)
        return JobService(api, base)

    async def get_async_conn(self) -> AsyncJobService:
        """Return the client for a trigger; raises what :meth:`get_conn` raises."""
        connection = await self.aget_connection(self.etl_job_conn_id)
        base = connection_url(connection, EXAMPLE)
        api = AsyncHttpApi(NAME, Egress.to(base), POLL_LIMITS, token=connection.password or "", hints=HINTS)
        return AsyncJobService(api, base)
