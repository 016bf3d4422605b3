"""The pipeline with its files in S3, over HTTP, as several workers share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.sdk import ObjectStoragePath

from include.core.warehouse.attempt import Attempt
from include.domains.weather import pipeline
from tests.integration.weather.conftest import DAY, REQUESTED_ON, Build


def test_files_in_s3(bucket: Callable[[str], Any], build: Build, warehouse: str) -> None:
    bucket("spellbook")
    root = ObjectStoragePath("s3://aws_default@spellbook/files")
    pipeline.create_table(warehouse)
    raw = pipeline.extract(
        build("open_meteo"), root, cities=["London", "Tokyo"], date=DAY, requested_on=REQUESTED_ON, run_id="run"
    )
    assert raw.startswith(f"{root}/weather/raw/day={DAY}/")
    transformed = pipeline.transform(ObjectStoragePath(raw))
    attempt = Attempt("weather_data_pipeline", "load_weather", "run", 1)
    assert pipeline.load(ObjectStoragePath(transformed), warehouse, attempt).loaded == 2
