"""Start runs of a DAG, in each of the ways in which a run can come to be."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from devstack.api import Airflow
from devstack.errors import StackError
from devstack.stack import Stack
from devstack.state import REPOSITORY
from devstack.waiting import wait_for

ROUNDS = 6  # heartbeats of the scheduler, between which it looks at assets many times


class Kind(StrEnum):
    """How the run comes to be; Airflow's run types."""

    MANUAL = "manual"
    SCHEDULED = "scheduled"
    BACKFILL = "backfill"
    ASSET = "asset"


@dataclass(frozen=True)
class Request:
    """What is to be run: ``first`` to ``last`` are the UTC days of the data interval, both included."""

    dag_id: str
    kind: Kind
    first: date
    last: date
    conf: dict[str, Any] = field(default_factory=dict)


def check_period(kind: Kind, first: date | None, last: date | None) -> None:
    """Raise :class:`StackError` if this kind of run can't be made for these days."""
    if last is None:
        return
    if first is None:
        raise StackError(f"TO={last} needs a DATE to begin with")
    if last < first:
        raise StackError(f"TO={last} is before DATE={first}")
    if last > first and kind is not Kind.BACKFILL:
        raise StackError(f"TO={last} needs AS=backfill; AS={kind} makes one run")


def start(request: Request, airflow: Airflow, stack: Stack, details: dict[str, Any]) -> list[str]:
    """Start the run or runs asked for, and return their run ids.

    Raises:
        StackError: if the DAG can't be run in this way, saying which ways it can.
    """
    if request.kind is Kind.MANUAL:
        return [_manual(request, airflow)]
    if request.kind is Kind.SCHEDULED:
        return [_scheduled(request, stack)]
    if request.kind is Kind.BACKFILL:
        return _backfill(request, airflow, details)
    return _asset(request, airflow, details)


def _manual(request: Request, airflow: Airflow) -> str:
    """A manual run of a day; its logical date is a moment of that day, so that a day can be run again and again."""
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
    """A run as the scheduler would have made it; the REST API offers none, so Airflow's own model makes it."""
    made = subprocess.run(
        [sys.executable, "-m", "devstack.scheduled_run", request.dag_id, request.first.isoformat()],
        env=stack.airflow_environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise StackError(
            f"no scheduled run of {request.dag_id} for {request.first}: {made.stderr.strip().splitlines()[-1]}"
        )
    return made.stdout.strip().splitlines()[-1]


def _backfill(request: Request, airflow: Airflow, details: dict[str, Any]) -> list[str]:
    if not details["is_backfillable"]:
        raise StackError(f"{request.dag_id} has no schedule to fill back; use AS=manual")
    _wait_for_the_last_backfill(request.dag_id, airflow)
    begun = datetime.now(UTC) - timedelta(seconds=5)
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
    runs = airflow.runs_since(request.dag_id, begun, "backfill")
    if not runs:
        raise StackError(f"the schedule of {request.dag_id} has no run between {request.first} and {request.last}")
    return [run["dag_run_id"] for run in runs]


def _wait_for_the_last_backfill(dag_id: str, airflow: Airflow) -> None:
    """Airflow allows one backfill of a DAG at a time, and closes one within half a minute after its last run."""

    def still_open() -> list[dict[str, Any]]:
        return [one for one in airflow.get("/backfills", dag_id=dag_id)["backfills"] if not one["completed_at"]]

    def unfinished() -> list[str]:
        runs = airflow.get(f"/dags/{dag_id}/dagRuns", run_type="backfill", state=["queued", "running"])["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    wait_for(
        lambda: not still_open(),
        f"the last backfill of {dag_id} to end",
        # With runs to do, their number tells; with none, it is up to the scheduler.
        progress=lambda: unfinished() or airflow.heartbeat("scheduler"),
        hint=lambda: f"Wait for it, or cancel it at {airflow.url}/dags/{dag_id}/backfills",
        poll=0.5,
    )


def _asset(request: Request, airflow: Airflow, details: dict[str, Any]) -> list[str]:
    """Publish an event of each asset that the DAG waits for, and return the run that it starts."""
    waited_for = [
        asset
        for asset in airflow.get("/assets", dag_ids=request.dag_id)["assets"]
        if any(consumer["dag_id"] == request.dag_id for consumer in asset["scheduled_dags"])
    ]
    if not waited_for:
        raise StackError(
            f"{request.dag_id} waits for no asset ({details['timetable_summary']}); use AS=manual or AS=scheduled"
        )
    begun = datetime.now(UTC) - timedelta(seconds=1)
    for asset in waited_for:
        airflow.post("/assets/events", {"asset_id": asset["id"], "extra": request.conf})
    beats: set[str] = set()

    def started() -> list[dict[str, Any]]:
        runs = airflow.runs_since(request.dag_id, begun, "asset_triggered")
        beats.add(airflow.heartbeat("scheduler"))
        if not runs and len(beats) > ROUNDS:
            raise StackError(f"the scheduler has started no run of {request.dag_id} for its assets")
        return runs

    runs = wait_for(
        started, f"a run of {request.dag_id} to be started by its assets", progress=lambda: len(beats), poll=0.2
    )
    return [run["dag_run_id"] for run in runs]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
