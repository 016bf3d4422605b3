"""## What
A run every minute, which asks the cache.

## Inputs
Connection `postgres_default`.

## Outputs
None.

## On failure
Nothing: the next comes in a minute.
"""

from __future__ import annotations

from airflow.sdk import DAG, Connection, CronTriggerTimetable, ObjectStoragePath, task
from pendulum import datetime

from include.settings import OBJECT_STORAGE

with DAG(
    "metronome",
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "platform"},
    tags=["example"],
    doc_md=__doc__,
    is_paused_upon_creation=False,
) as dag:

    @task
    def tick(postgres_conn_id: str) -> None:
        """Ask for the same again."""
        from include.cache import Cache
        from spellbook.counters import cache_counter

        uri, root = Connection.get(postgres_conn_id).get_uri(), ObjectStoragePath(OBJECT_STORAGE.read())
        cache = Cache("metronome", uri, root, count=cache_counter("metronome"))
        cache.get(cache.key({}, "tick"), lambda: b"tock")

    tick("postgres_default")
