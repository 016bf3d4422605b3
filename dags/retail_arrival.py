"""Waits for the day's retail file without a worker, and sends a mail if none arrives.

## What
Waits until the tills have closed the day, then for its file in S3, and copies it to object storage. Both sensors are
deferrable. On timeout they are skipped rather than failed, because some days have no sales (Saturdays), and
`notify_no_file` informs the team.

## Inputs
- connection `tills_default`: `GET /tills?date=…` answers 404 until the day is closed
- connection `aws_default`: `retail/online_retail_<day>.csv` in the bucket `SPELLBOOK_RETAIL_BUCKET`
- connection `smtp_default`, for the mail if no file arrives
- the day: the first of the run's data interval; the day before the trigger, if the run has none
- `SPELLBOOK_RETAIL_PATIENCE`: timeout of each sensor in seconds

## Outputs
- the file in `retail/landed/` of object storage
- asset `retail_file`, with the day in its event; triggers `retail_validate`

## On failure
A sensor fails only if its request fails: fix what the server's error names, clear the sensor. See
`docs/runbooks/retail.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import Asset, CronDataIntervalTimetable, ObjectStoragePath, dag, task
from pendulum import datetime

from include.core.dag import storage_root
from include.core.tags import Tag
from include.domains.retail.files import LANDED
from include.domains.retail.settings import RETAIL_BUCKET, RETAIL_MAIL, RETAIL_PATIENCE
from spellbook.sensors.http import PacedHttpSensor
from spellbook.sensors.s3 import S3FileSensor

DAY = "{{ (dag_run.data_interval_start or dag_run.run_after - macros.timedelta(days=1)) | ds }}"
KEY = f"retail/online_retail_{DAY}.csv"
PATIENCE = timedelta(seconds=float(RETAIL_PATIENCE.read()))
WAITING: dict[str, Any] = {
    "timeout": PATIENCE,
    "execution_timeout": PATIENCE + timedelta(minutes=10),
    "poke_interval": 60,
    "soft_fail": True,
}
RETAIL_FILE = Asset("retail_file")


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "retail"},
    tags=[Tag.INGEST, Tag.RETAIL],
    doc_md=__doc__,
)
def retail_arrival() -> None:
    """Wait for tills and file, then land the file or notify."""
    wait_for_tills = PacedHttpSensor(
        task_id="wait_for_tills",
        http_conn_id="tills_default",
        endpoint="tills",
        request_params={"date": DAY},
        **WAITING,
    )
    wait_for_file = S3FileSensor(
        task_id="wait_for_file",
        aws_conn_id="aws_default",
        bucket_name=RETAIL_BUCKET.read(),
        bucket_key=KEY,
        **WAITING,
    )
    notify_no_file = EmailOperator(
        task_id="notify_no_file",
        conn_id="smtp_default",
        to=RETAIL_MAIL.read(),
        subject=f"No retail file of {DAY}",
        html_content=f"<p>No sales on {DAY}, or no {KEY} in {RETAIL_BUCKET.read()}. If it arrives, clear the run.</p>",
        trigger_rule="all_skipped",
    )

    @task(outlets=[RETAIL_FILE])
    def land_file(day: str, key: str, aws_conn_id: str, **context: Any) -> str:
        """Copy the file to object storage; return its URL."""
        from include.domains.retail import files

        source = ObjectStoragePath(f"s3://{aws_conn_id}@{RETAIL_BUCKET.read()}/{key}")
        context["outlet_events"][RETAIL_FILE].extra = {"days": [day]}
        return files.land(source, storage_root() / LANDED)

    wait_for_tills >> wait_for_file >> [land_file(DAY, KEY, "aws_default"), notify_no_file]


retail_arrival()
