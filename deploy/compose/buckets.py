"""Creates the buckets of the demo profile's S3 server. In a real account, its owner creates the buckets."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

import boto3

from deploy.compose.endpoints import Fields


def bucket_of(storage: str) -> str | None:
    """Return the bucket of an object-storage URL, ``s3://aws_default@bucket/prefix``; ``None`` for other schemes."""
    url = urlsplit(storage)
    return url.netloc.rpartition("@")[2] if url.scheme == "s3" else None


def create(names: Iterable[str], connection: Fields) -> None:
    """Create the missing buckets.

    Args:
        names: names of the buckets.
        connection: fields of the connection ``aws_default``.
    """
    client = boto3.client(
        "s3",
        endpoint_url=connection["extra"]["service_config"]["s3"]["endpoint_url"],
        region_name=connection["extra"]["region_name"],
        aws_access_key_id=connection["login"],
        aws_secret_access_key=connection["password"],
    )
    for name in names:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=name)
