"""Start runs of a DAG, of each of Airflow's run types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from devstack.airflow_daemons import log_of, record_of
from devstack.api import Airflow
from devstack.errors import StackError, UsageError
from devstack.stack import Stack
from devstack.waiting import Activity, wait_for

UNSCHEDULED = "None"  # what Airflow calls the schedule None
ROUNDS = 6  # scheduler heartbeats to wait for; it checks assets many times between two of them


class Kind(StrEnum):
    """How a run is created; Airflow's run types."""

    MANUAL = "manual"
    SCHEDULED = "scheduled"
    BACKFILL = "backfill"
    ASSET = "asset"


@dataclass(frozen=True)
class Request:
    """The requested run: ``first`` to ``last`` are the UTC days of the data interval, both inclusive."""

    dag_id: str
    kind: Kind
    first: date
    last: date
    conf: dict[str, Any] = field(default_factory=dict)


def check_period(kind: Kind, first: date | None, last: date | None) -> None:
    """Raise :class:`UsageError` if this kind of run can't cover these days."""
    if last is None:
        return
    if first is None:
        raise UsageError(f"TO={last} needs a DATE too")
    if last < first:
        raise UsageError(f"TO={last} is before DATE={first}")
    if last > first and kind is not Kind.BACKFILL:
        raise UsageError(f"TO={last} needs AS=backfill; AS={kind} creates a single run")


def has_schedule(details: Mapping[str, Any]) -> bool:
    """Tell whether Airflow starts runs of a DAG by itself."""
    return details["timetable_summary"] not in {None, UNSCHEDULED}


def start(request: Request, airflow: Airflow, stack: Stack, details: dict[str, Any]) -> list[str]:
    """Start the requested run or runs, and return their run ids.

    Raises:
        UsageError: if the DAG can't be run this way; the message names the ways that it can.
    """
    if request.kind is Kind.MANUAL:
        return [_manual(request, airflow)]
    if request.kind is Kind.SCHEDULED:
        return [_scheduled(request, stack)]
    if request.kind is Kind.BACKFILL:
        return _backfill(request, airflow, details)
    return _asset(request, airflow, details)


def _manual(request: Request, airflow: Airflow) -> str:
    """Start a manual run of a day; its logical date is the current time of that day, so that a day can be run again."""
    begin = _midnight(request.first)
    now = datetime.now(UTC)
    run = airflow.post(
        f"/dags/{request.dag_id}/dagRuns",
        {
            "logical_date": (begin + (now - _midnight(now.date()))).isoformat(),
            "data_interval_start": begin.isoformat(),
            "data_interval_end": (begin + timedelta(days=1)).isoformat(),
            "conf": request.conf,
        },
    )
    return str(run["dag_run_id"])


def _scheduled(request: Request, stack: Stack) -> str:
    """Have the stack's scheduler create the run, or clear it if it exists."""
    runs = stack.state.scheduled_runs
    name = runs.request(request.dag_id, request.first)

    def created() -> str:
        stack.state.note_waiting()
        stack.require_running(["airflow"])
        answer = runs.answer(name)
        if answer and answer.error:
            raise UsageError(f"no scheduled run of {request.dag_id} for {request.first}: {answer.error}")
        return answer.run_id if answer else ""

    log = log_of(stack.state, "scheduler")
    try:
        return wait_for(
            created,
            f"the scheduler to create a run of {request.dag_id}",
            progress=Activity([record_of(stack.state, "scheduler")], [log]),
            hint=lambda: f"See {log}",
        )
    finally:
        runs.withdraw(name)


def _backfill(request: Request, airflow: Airflow, details: dict[str, Any]) -> list[str]:
    if not details["is_backfillable"]:
        raise UsageError(f"{request.dag_id} has no schedule, so it can't be backfilled; use AS=manual")
    wait_for_previous_backfill(request.dag_id, airflow)
    started_at = datetime.now(UTC) - timedelta(seconds=5)
    airflow.post(
        "/backfills",
        {
            "dag_id": request.dag_id,
            "from_date": _midnight(request.first).isoformat(),
            "to_date": datetime.combine(request.last, time.max, UTC).isoformat(),
            "dag_run_conf": request.conf,
            "reprocess_behavior": "completed",
            "max_active_runs": 4,
        },
    )
    runs = airflow.runs_since(request.dag_id, started_at, "backfill")
    if not runs:
        raise UsageError(f"the schedule of {request.dag_id} has no run between {request.first} and {request.last}")
    return [run["dag_run_id"] for run in runs]


def wait_for_previous_backfill(dag_id: str, airflow: Airflow) -> None:
    """Wait: Airflow allows one backfill of a DAG at a time, and closes it up to half a minute after its last run."""

    def open_backfills() -> list[dict[str, Any]]:
        return [item for item in airflow.get("/backfills", dag_id=dag_id)["backfills"] if not item["completed_at"]]

    def unfinished_runs() -> list[str]:
        runs = airflow.get(f"/dags/{dag_id}/dagRuns", run_type="backfill", state=["queued", "running"])["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    wait_for(
        lambda: not open_backfills(),
        f"the previous backfill of {dag_id} to end",
        # While runs remain, their number shows progress; after the last, the scheduler's heartbeat does.
        progress=lambda: unfinished_runs() or airflow.heartbeat("scheduler"),
        hint=lambda: f"Wait for it, or cancel it at {airflow.url}/dags/{dag_id}/backfills",
        poll=0.5,
    )


def _asset(request: Request, airflow: Airflow, details: dict[str, Any]) -> list[str]:
    """Publish an event of each asset that the DAG waits for, and return the run that it starts."""
    awaited = [
        asset
        for asset in airflow.get("/assets", dag_ids=request.dag_id)["assets"]
        if any(consumer["dag_id"] == request.dag_id for consumer in asset["scheduled_dags"])
    ]
    if not awaited:
        raise UsageError(
            f"{request.dag_id} waits for no asset ({details['timetable_summary']}); use AS=manual or AS=scheduled"
        )
    started_at = datetime.now(UTC) - timedelta(seconds=1)
    for asset in awaited:
        airflow.post("/assets/events", {"asset_id": asset["id"], "extra": request.conf})
    beats: set[str] = set()

    def started() -> list[dict[str, Any]]:
        runs = airflow.runs_since(request.dag_id, started_at, "asset_triggered")
        beats.add(airflow.heartbeat("scheduler"))
        if not runs and len(beats) > ROUNDS:
            raise StackError(f"the scheduler started no run of {request.dag_id} for its assets")
        return runs

    runs = wait_for(
        started, f"a run of {request.dag_id} to be started by its assets", progress=lambda: len(beats), poll=0.2
    )
    return [run["dag_run_id"] for run in runs]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
