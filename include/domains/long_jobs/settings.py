"""The connection to the job service."""

from __future__ import annotations

from include.core.settings import Connection

ETL_JOBS = Connection(
    "etl_jobs_default",
    "etl_jobs",
    "upstreams",
    "Job service that long_running_etl starts jobs at; a bearer token as password, if it asks for one.",
)
