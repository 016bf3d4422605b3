"""The pipeline with its files in S3, over HTTP, as many workers would share them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from airflow.sdk import ObjectStoragePath
from moto.server import ThreadedMotoServer

from include.warehouse.attempt import Attempt
from include.weather import pipeline
from tests.integration.weather.conftest import ASKED_ON, DAY, Build

BUCKET = "spellbook"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStoragePath]:
    """An empty bucket behind `aws_default`."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "spellbook", "aws_secret_access_key": "spellbook", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket=BUCKET)
        connection = {
            "conn_type": "aws",
            "login": "spellbook",
            "password": "spellbook",
            "extra": {"endpoint_url": url, "region_name": "us-east-1"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        yield ObjectStoragePath(f"s3://aws_default@{BUCKET}/files")
    finally:
        server.stop()


def test_files_in_s3(bucket: ObjectStoragePath, build: Build, warehouse: str) -> None:
    pipeline.create_table(warehouse)
    raw = pipeline.extract(
        build("open_meteo"), bucket, wanted=["London", "Tokyo"], date=DAY, asked_on=ASKED_ON, run_id="run"
    )
    assert raw.startswith(f"s3://aws_default@{BUCKET}/files/weather/raw/date={DAY}/")
    transformed = pipeline.transform(ObjectStoragePath(raw))
    attempt = Attempt("weather_data_pipeline", "load_weather", "run", 1)
    assert pipeline.load(ObjectStoragePath(transformed), warehouse, attempt).loaded == 2
