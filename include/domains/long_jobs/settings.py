"""The connection to the job service."""

from __future__ import annotations

from include.core.settings import Connection

ETL_JOBS = Connection(
    "etl_jobs_default",
    "etl_jobs",
    "upstreams",
    "Job service for long_running_etl; password: bearer token, if the service requires one.",
)
