"""Object storage and the model registry, reached as DAGs reach them."""

from __future__ import annotations

import json

import boto3
import psycopg
import pytest
import requests

from devstack.environment import connections, local_url
from devstack.stack import Stack
from tests.integration.devstack.conftest import server


def test_objects_are_read_back_unchanged(running: Stack) -> None:
    fields = json.loads(connections(running.state, running.upstream)["AIRFLOW_CONN_AWS_DEFAULT"])
    client = boto3.client(
        "s3", aws_access_key_id=fields["login"], aws_secret_access_key=fields["password"], **fields["extra"]
    )
    client.create_bucket(Bucket="spells")
    content = bytes(range(256)) * 1000
    client.put_object(Bucket="spells", Key="raw/2024-06-01.json", Body=content)
    assert client.get_object(Bucket="spells", Key="raw/2024-06-01.json")["Body"].read() == content
    assert [item["Key"] for item in client.list_objects_v2(Bucket="spells")["Contents"]] == ["raw/2024-06-01.json"]
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket="spells", Key="raw/none")
    client.close()


def test_mlflow_keeps_its_records_in_a_database_of_its_own(running: Stack) -> None:
    running.ensure(["mlflow"])
    assert requests.get(f"{local_url(running.state, 'mlflow')}/health", timeout=10).text == "OK"
    with psycopg.connect(server(running.state).uri("mlflow")) as connection:
        assert connection.execute("SELECT count(*) FROM experiments").fetchone() == (1,)
