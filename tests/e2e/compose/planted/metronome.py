"""## What
A run every ten seconds, which reads the cache.

## Inputs
Connection `postgres_default`.

## Outputs
None.

## On failure
Nothing: the next run starts soon.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Connection, DeltaTriggerTimetable, ObjectStoragePath, task
from pendulum import datetime

from include.core.settings import OBJECT_STORAGE

with DAG(
    "metronome",
    schedule=DeltaTriggerTimetable(timedelta(seconds=10)),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "platform"},
    tags=["example"],
    doc_md=__doc__,
    is_paused_upon_creation=False,
) as dag:

    @task
    def tick(postgres_conn_id: str) -> None:
        """Read the same entry again."""
        from include.core.cache import Cache
        from spellbook.counters import cache_counter

        uri, root = Connection.get(postgres_conn_id).get_uri(), ObjectStoragePath(OBJECT_STORAGE.read())
        cache = Cache("metronome", uri, root, count=cache_counter("metronome"))
        cache.get(cache.key({}, "tick"), lambda: b"tock")

    tick("postgres_default")
