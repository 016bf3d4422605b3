"""Connections to the sample job service."""

from __future__ import annotations

import json
import secrets

import pytest

from include.core.http.client import HttpApi, Limits
from include.core.http.egress import Egress
from include.domains.long_jobs.service import HINTS, JobService

LIMITS = Limits(deadline=4, connect=1, silence=0.5, backoff=0.01)


@pytest.fixture
def service(upstreams: str) -> JobService:
    """The service, with short time-outs."""
    return JobService(HttpApi("ETL jobs", Egress.to(upstreams), None, LIMITS, hints=HINTS), upstreams)


@pytest.fixture
def key() -> str:
    return secrets.token_hex(8)


@pytest.fixture
def conn_id(upstreams: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIRFLOW_CONN_ETL_JOBS_DEFAULT", json.dumps({"conn_type": "etl_jobs", "host": upstreams}))
    return "etl_jobs_default"
