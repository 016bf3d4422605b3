from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from devstack.upstreams import replay
from devstack.upstreams.records import DATA
from devstack.upstreams.server import serve
from include.core.replay import HEADER, SUFFIX
from include.domains.retail.settings import RETAIL_BUCKET

YESTERDAY = replay.today() - timedelta(days=1)


@pytest.fixture(scope="module")
def tills(s3_url: str) -> Iterator[str]:
    with serve(s3=s3_url) as url:
        yield f"{url}/tills"


@pytest.fixture
def s3(s3_url: str) -> Any:
    keys = {"aws_access_key_id": "sample", "aws_secret_access_key": "sample", "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=s3_url, **keys)


def content(s3: Any, key: str) -> str:
    return s3.get_object(Bucket=RETAIL_BUCKET.read(), Key=key)["Body"].read().decode()  # type: ignore[no-any-return]


def test_a_recorded_day_is_delivered_unchanged(tills: str, s3: Any) -> None:
    response = requests.get(tills, params={"date": "2010-12-21"}, timeout=30)
    key = "retail/online_retail_2010-12-21.csv"
    assert response.json() == {"date": "2010-12-21", "closed": True, "file": key}
    assert HEADER not in response.headers
    assert content(s3, key) == (DATA / key).read_text(encoding="utf-8")
    with pytest.raises(ClientError, match="NoSuchKey"):
        content(s3, key + SUFFIX)


def test_another_day_is_delivered_with_its_label_and_the_rows_of_the_sales_api(tills: str, s3: Any) -> None:
    response = requests.get(tills, params={"date": YESTERDAY.isoformat()}, timeout=30)
    key = response.json()["file"]
    assert key == f"retail/online_retail_{YESTERDAY}.csv"
    assert content(s3, key + SUFFIX) == response.headers[HEADER]
    delivered = list(csv.DictReader(content(s3, key).splitlines()))
    query = {"date": YESTERDAY.isoformat(), "limit": "1000"}
    page = requests.get(tills.replace("/tills", "/sales"), params=query, timeout=30).json()
    assert len(delivered) == page["total"]
    for row, sold in zip(delivered, page["data"], strict=False):
        assert row == {name: "" if value is None else str(value) for name, value in sold.items()}
    recorded = (DATA / "retail" / f"online_retail_{response.headers[HEADER]}.csv").read_text(encoding="utf-8")
    assert content(s3, key).splitlines()[0] == recorded.splitlines()[0]


def test_a_future_day_is_not_closed_yet(tills: str) -> None:
    tomorrow = (replay.today() + timedelta(days=1)).isoformat()
    response = requests.get(tills, params={"date": tomorrow}, timeout=30)
    assert (response.status_code, response.json()["error"]["message"]) == (404, f"{tomorrow} is not closed yet")


def test_a_single_day_must_be_requested(tills: str) -> None:
    response = requests.get(tills, params={"since": "2010-12-20", "until": "2010-12-21"}, timeout=30)
    assert (response.status_code, response.json()["error"]["message"]) == (
        400, "since=2010-12-20, until=2010-12-21: request one day",
    )  # fmt: skip


def test_tills_that_cannot_deliver_report_an_error() -> None:
    with serve(s3="http://127.0.0.1:9") as url:
        response = requests.get(f"{url}/tills", params={"date": "2010-12-21"}, timeout=60)
    assert response.status_code == 503
    message = response.json()["error"]["message"]
    assert message.startswith("retail/online_retail_2010-12-21.csv can't be delivered to http://127.0.0.1:9: ")
