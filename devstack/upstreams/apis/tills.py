"""The shops' till system, which delivers a file to the wholesaler's bucket when a day is closed.

``GET /tills?date=2010-12-20`` returns 404 until the day is closed, then ``{"date": …, "closed": true, "file": key}``.
The file has the rows of ``/sales``. A file beside that of a replayed day names the recorded day.
"""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from devstack.upstreams import replay
from devstack.upstreams.answers import RefusedError, json_response, source_error
from devstack.upstreams.apis.sources import SALES, period
from devstack.upstreams.records import DATA
from include.core.replay import SUFFIX
from include.domains.retail.settings import RETAIL_BUCKET

if TYPE_CHECKING:
    from datetime import date

    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response


@dataclass(frozen=True)
class Tills:
    """The till system; ``s3`` is the URL of the S3 server that it delivers to, None if there is none."""

    s3: str | None

    async def day(self, request: Request) -> Response:
        """``GET /tills?date=…``."""
        try:
            day, recorded = _closed_day(request.query_params)
            key = f"retail/online_retail_{day}.csv"
            if self.s3:
                await run_in_threadpool(_deliver, self.s3, key, day, recorded)
        except RefusedError as error:
            return json_response(source_error(str(error), error.status), error.status)
        content = {"date": day.isoformat(), "closed": True, "file": key}
        return json_response(content, headers=replay.replay_header([(day, recorded)]))


def _closed_day(query: QueryParams) -> tuple[date, date]:
    """Return the requested day, and the recorded one that is replayed for it."""
    day, last = period(query)
    if day != last:
        raise RefusedError(400, f"since={day}, until={last}: request one day")
    recorded = SALES.recorded_day(day)
    if recorded is None:
        raise RefusedError(404, f"{day} is not closed yet")
    return day, recorded


def file_of(day: date, recorded: date) -> bytes:
    """Return the file of a day: the recorded file, with dates and invoice numbers of ``day`` if they differ."""
    content = (DATA / "retail" / f"online_retail_{recorded}.csv").read_bytes()
    if day == recorded:
        return content
    reader = csv.DictReader(io.StringIO(content.decode(), newline=""))
    output = io.StringIO(newline="")
    writer = csv.DictWriter(output, reader.fieldnames or (), lineterminator="\n")
    writer.writeheader()
    writer.writerows(SALES.move_row(day, recorded, dict(row)) for row in reader)
    return output.getvalue().encode()


def _deliver(url: str, key: str, day: date, recorded: date) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    keys = {"aws_access_key_id": "sample", "aws_secret_access_key": "sample", "region_name": "us-east-1"}
    client, bucket = boto3.client("s3", endpoint_url=url, **keys), RETAIL_BUCKET.read()
    try:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=bucket)
        if day != recorded:
            client.put_object(Bucket=bucket, Key=key + SUFFIX, Body=recorded.isoformat().encode())
        client.put_object(Bucket=bucket, Key=key, Body=file_of(day, recorded))
    except (BotoCoreError, ClientError) as error:
        raise RefusedError(503, f"{key} can't be delivered to {url}: {error}") from error


def routes(s3: str | None) -> list[Route]:
    """Return the routes of the till system."""
    return [Route("/tills", Tills(s3).day)]
