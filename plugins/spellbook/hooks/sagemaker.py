"""A hook that returns a boto3 client, for calls without an operator."""

from __future__ import annotations

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from spellbook.operators.sagemaker import BOTOCORE


class AwsClientHook(AwsBaseHook):
    """Turns an AWS connection into a boto3 client that retries throttled and failed calls.

    Args:
        aws_conn_id: AWS connection.
        service: boto3's name of the service, such as ``s3``.
    """

    def __init__(self, aws_conn_id: str, service: str) -> None:
        super().__init__(aws_conn_id=aws_conn_id, client_type=service, config=Config(**BOTOCORE))
