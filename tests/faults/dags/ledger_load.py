"""Loads a day of the ledger's rows, and tells the ledger of each step.

## What
Fetches the rows of a day, stores them in object storage, loads them into `ledger_rows`, and confirms that.

## Inputs
Connection `ledger_default`: the ledger of the fault suite. Param `day`.

## Outputs
Table `ledger_rows`.

## On failure
Clear the failed task.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.sdk import Connection, CronDataIntervalTimetable, dag, get_current_context, task

from include.core.dag import day_param, publication, run_day, storage_root, warehouse_uri
from include.core.warehouse.dataset import Column, Dataset
from tests.faults.dag import DEFAULTS, note

LEDGER_ROWS = Dataset(
    name="ledger_rows",
    columns=(Column("day", "date", doc="Day of the row"), Column("id", "text", doc="Unique in the ledger")),
    key=("day", "id"),
    partition="day",
)


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    max_active_runs=8,
    params={"day": day_param()},
    doc_md=__doc__,
    **DEFAULTS,
)
def ledger_load() -> None:
    """Extract, load, confirm."""

    @task
    def extract() -> str:
        """Fetch the day's rows and store them; return the path below object storage."""
        from include.core import exact_json
        from include.core.errors import PermanentUpstreamError, TransientUpstreamError
        from include.core.http.client import HttpApi, Limits, connection_url
        from include.core.http.egress import Egress
        from include.core.http.responses import error_in, is_transient

        context: dict[str, Any] = dict(get_current_context())
        note("start")
        base = connection_url(Connection.get("ledger_default"))
        api = HttpApi("ledger", Egress.to(base), limits=Limits(deadline=20, silence=5, backoff=0.5))
        content = exact_json.loads(api.get(f"{base}/rows", {"day": run_day(context).isoformat()}).text)
        if reason := error_in(content, "rows"):
            raise (TransientUpstreamError if is_transient(reason) else PermanentUpstreamError)(reason)
        if not isinstance(content, dict) or not isinstance(rows := content.get("rows"), list):
            raise PermanentUpstreamError("the response has no list 'rows'")
        path = f"ledger/{context['run_id']}.json"
        target = storage_root() / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(rows))
        note("end")
        return path

    @task(pool="database_access")
    def load(path: str) -> int:
        """Load them in one transaction."""
        from include.core.warehouse.connect import connect
        from include.core.warehouse.errors import StaleAttemptError
        from include.core.warehouse.loader import load as load_rows

        context: dict[str, Any] = dict(get_current_context())
        note("start")
        day = run_day(context)
        rows = json.loads((storage_root() / path).read_text())

        def read() -> Iterator[dict[str, object]]:
            note("copy")  # in the load's transaction
            yield from ({"day": day, "id": row["id"]} for row in rows)

        try:
            with (
                publication(context) as attempt,
                connect(warehouse_uri("postgres_default"), attempt, lock_timeout=10) as session,
            ):
                result = load_rows(session, LEDGER_ROWS, partition=day, rows=read(), attempt=attempt)
        except StaleAttemptError:
            note("refused")
            raise
        note("commit")
        note("end")
        return result.loaded

    @task(queue="second", execution_timeout=timedelta(minutes=10))
    def confirm(loaded: int) -> int:
        """Run on the other queue."""
        note("start")
        note("end")
        return loaded

    confirm(load(extract()))


ledger_load()
