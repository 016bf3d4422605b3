"""The hook of the connection type ``etl_jobs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from include.core.http.client import HttpApi, Limits, connection_url
from include.core.http.egress import Egress
from include.domains.long_jobs.service import HINTS, LIMITS, NAME, POLL_LIMITS, AsyncJobService, JobService
from spellbook.hooks.base import ClientHook

if TYPE_CHECKING:
    from airflow.sdk import Connection

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
        return JobService(*_api(self.get_connection(self.etl_job_conn_id), LIMITS))

    async def get_async_conn(self) -> AsyncJobService:
        """Return the client for a trigger; raises what :meth:`get_conn` raises."""
        return AsyncJobService(*_api(await self.aget_connection(self.etl_job_conn_id), POLL_LIMITS))


def _api(connection: Connection, limits: Limits) -> tuple[HttpApi, str]:
    base = connection_url(connection, EXAMPLE)
    return HttpApi(NAME, Egress.to(base), limits=limits, token=connection.password or "", hints=HINTS), base
