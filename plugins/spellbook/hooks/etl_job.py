"""The job service behind an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow.sdk import BaseHook

from include.core.errors import ConfigurationError, UpstreamError
from include.core.http.async_client import AsyncHttpApi
from include.core.http.client import HttpApi, Limits, connection_url
from include.core.http.egress import Egress
from include.domains.long_jobs.service import HINTS, AsyncJobService, JobService

if TYPE_CHECKING:
    from airflow.sdk import Connection

NAME = "ETL jobs"
LIMITS = Limits(deadline=60)
POLL_LIMITS = Limits(deadline=20)


class EtlJobHook(BaseHook):
    """Calls the job service that a connection names.

    Args:
        etl_job_conn_id: connection with host, port, schema (``https``); a bearer token as password, if it wants one.
    """

    conn_name_attr: ClassVar[str] = "etl_job_conn_id"
    default_conn_name: ClassVar[str] = "etl_jobs_default"
    conn_type: ClassVar[str] = "etl_jobs"
    hook_name: ClassVar[str] = NAME

    def __init__(self, etl_job_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.etl_job_conn_id = etl_job_conn_id

    def get_conn(self) -> JobService:
        """Return the service, for a task.

        Raises:
            ConfigurationError: if the connection's host isn't a host or an http(s) URL.
        """
        connection = self.get_connection(self.etl_job_conn_id)
        base = self._base(connection)
        api = HttpApi(NAME, Egress.to(base), None, LIMITS, token=connection.password or "", hints=HINTS)
        return JobService(api, base)

    async def get_async_conn(self) -> AsyncJobService:
        """Return the service, for a trigger; raises as :meth:`get_conn` does."""
        connection = await self.aget_connection(self.etl_job_conn_id)
        base = self._base(connection)
        api = AsyncHttpApi(NAME, Egress.to(base), POLL_LIMITS, token=connection.password or "", hints=HINTS)
        return AsyncJobService(api, base)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the service for a job that nobody started; tell whether it answers, and how not."""
        try:
            service = self.get_conn()
            service.find("test_connection")
        except (ConfigurationError, UpstreamError) as error:
            return False, str(error)
        return True, f"{service.base} answers"

    def _base(self, connection: Connection) -> str:
        return connection_url(
            self.etl_job_conn_id,
            connection.host,
            connection.schema,
            connection.port,
            example="https://jobs.example.com",
        )
