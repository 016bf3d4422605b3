"""My first spell: a minimal DAG to copy.

## What
Counts how often each word of a spell occurs.

## Inputs
The text in `SPELL`.

## Outputs
An XCom: the words with their counts, most frequent first.

## On failure
Clear the run: it leaves nothing to clean up. See `docs/runbooks/my_first_spell.md`.
"""

from __future__ import annotations

from collections import Counter

from airflow.sdk import CronDataIntervalTimetable, dag, task
from pendulum import datetime

from include.core.tags import Tag

SPELL = "double double toil and trouble fire burn and caldron bubble"


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "data-platform"},
    tags=[Tag.EXAMPLE],
    doc_md=__doc__,
)
def my_first_spell() -> None:
    """Split, count, print."""

    @task
    def extract_task() -> list[str]:
        """Split the spell into words."""
        return SPELL.split()

    @task
    def transform_task(words: list[str]) -> list[tuple[str, int]]:
        """Count each word, the most frequent first; a dictionary wouldn't keep its order in an XCom."""
        return Counter(words).most_common()

    @task
    def load_task(counts: list[tuple[str, int]]) -> None:
        """Print the counts into the task's log."""
        for word, count in counts:
            print(f"{count} x {word}")

    load_task(transform_task(extract_task()))


my_first_spell()
