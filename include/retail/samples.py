"""The recorded files put where the supplier would put them, for stacks that have no supplier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from include.settings import RETAIL_BUCKET

RECORDED = Path(__file__).parents[1] / "data" / "retail"
PREFIX = "retail"


def deliver(client: Any) -> None:
    """Make the bucket of :data:`~include.settings.RETAIL_BUCKET` and upload every recorded day.

    Args:
        client: boto3's, for S3.
    """
    bucket = RETAIL_BUCKET.read()
    client.create_bucket(Bucket=bucket)
    for path in sorted(RECORDED.glob("online_retail_*.csv")):
        client.put_object(Bucket=bucket, Key=f"{PREFIX}/{path.name}", Body=path.read_bytes())
