"""boto3 clients of an Airflow connection, for the calls that no operator makes."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from include.core.ml.sagemaker.deployment import Bucket

RETRIES = Config(retries={"mode": "standard", "max_attempts": 5})


def client(aws_conn_id: str, service: str) -> Any:
    """Return a client of an AWS service, which tries what is throttled or unreachable a few times."""
    return AwsBaseHook(aws_conn_id=aws_conn_id, client_type=service, config=RETRIES).get_conn()


def bucket(aws_conn_id: str, name: str, model: str) -> Bucket:
    """Return the bucket for a model's packages, made where it is missing."""
    s3 = client(aws_conn_id, "s3")
    if name not in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=name)
    return Bucket(s3, name, model)
