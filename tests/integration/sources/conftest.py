"""Runs of a source on the sample upstreams, into a warehouse and a folder for files."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection
from upath import UPath

from include.core.sources import pipeline
from include.core.sources.client import SourceClient
from include.core.sources.files import load_source
from include.core.sources.model import Source
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.loader import LoadResult
from include.domains.sources import FOLDER


@pytest.fixture
def connection(upstreams: str) -> Connection:
    """A connection to the sample upstreams, with its own rate limit."""
    return Connection(conn_id=f"sources_{secrets.token_hex(4)}", host=upstreams)


Run = Callable[..., list[LoadResult]]


@pytest.fixture
def run(connection: Connection, warehouse: str, tmp_path: Path) -> Run:
    """Run the four steps for some days of a source."""

    def steps(source: Source | str, *days: date, attempt: int = 1, **changes: Any) -> list[LoadResult]:
        if isinstance(source, str):
            source = load_source(FOLDER / f"{source}.yaml")
        limits = source.limits.model_copy(update={"calls_per_minute": 10_000, "deadline": 4})
        source = source.model_copy(update={"limits": limits} | changes)
        root = UPath(url_of(tmp_path))
        client = SourceClient.of(connection, source, warehouse)
        raw = [UPath(file) for file in pipeline.extract(client, root, days, "run")]
        raw = [UPath(file) for file in pipeline.process(source, raw)]
        pipeline.check(source, raw)
        return pipeline.load(source, raw, warehouse, Attempt(source.dag_id, "load", "run", attempt))

    return steps
