"""Requests for the run that a DAG's schedule has on a day, exchanged as files with the stack's scheduler.

The REST API creates no scheduled runs, and a process that imports Airflow for one needs seconds.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.errors import StackError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SUFFIX = ".json"


@dataclass(frozen=True)
class Answer:
    """The run that was created or cleared, or why there is none."""

    run_id: str = ""
    error: str = ""


class ScheduledRuns:
    """The requests and answers in one folder."""

    def __init__(self, folder: Path) -> None:
        self._requests, self._answers = folder / "requests", folder / "answers"

    def request(self, dag_id: str, day: date) -> str:
        """Request a run; return the request's name."""
        name = f"{uuid.uuid4()}{SUFFIX}"
        _write(self._requests / name, {"dag_id": dag_id, "day": day.isoformat()})
        return name

    def answer(self, name: str) -> Answer | None:
        """Return the answer to a request; ``None`` if there is none yet."""
        try:
            return Answer(**json.loads((self._answers / name).read_text()))
        except FileNotFoundError:
            return None

    def withdraw(self, name: str) -> None:
        """Forget a request: nobody waits for the answer any more."""
        for folder in (self._requests, self._answers):
            (folder / name).unlink(missing_ok=True)

    def serve(self, create: Callable[[str, date], str]) -> None:
        """Answer each request with the run that ``create`` returns, or with the error that it raises."""
        try:
            names = sorted(entry.name for entry in os.scandir(self._requests) if entry.name.endswith(SUFFIX))
        except FileNotFoundError:
            return
        for name in names:
            try:
                requested = json.loads((self._requests / name).read_text())
            except FileNotFoundError:  # withdrawn
                continue
            try:
                answer = Answer(create(requested["dag_id"], date.fromisoformat(requested["day"])))
            except StackError as error:
                answer = Answer(error=str(error))
            except Exception as error:  # the scheduler goes on; who asked is told
                answer = Answer(error=f"{type(error).__name__}: {error}")
            _write(self._answers / name, asdict(answer))
            (self._requests / name).unlink(missing_ok=True)


def create(dag_id: str, day: date, session: Session) -> str:
    """Create the run as the scheduler would, or clear it if it exists; return its id.

    Raises:
        StackError: if there is no such DAG, its schedule has no run on that day, or that run isn't due.
    """
    from airflow.models.dagbag import DBDagBag
    from airflow.models.dagrun import DagRun
    from airflow.timetables.base import TimeRestriction
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType
    from pendulum import instance

    dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
    if dag is None:
        raise StackError(f"there is no DAG {dag_id}")
    start = instance(datetime(day.year, day.month, day.day, tzinfo=UTC))
    info = dag.timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(earliest=start, latest=None, catchup=True)
    )
    if info is None or info.logical_date is None or info.logical_date.date() != day:
        raise StackError(f"its schedule ({dag.timetable.summary}) has no run on {day}")
    if info.run_after > datetime.now(UTC):
        raise StackError(f"its schedule ({dag.timetable.summary}) starts that run at {info.run_after}, not before")
    existing = session.query(DagRun).filter_by(dag_id=dag_id, logical_date=info.logical_date).one_or_none()
    if existing:
        dag.clear(run_id=existing.run_id, session=session)
        return str(existing.run_id)
    run_id = dag.timetable.generate_run_id(
        run_type=DagRunType.SCHEDULED, run_after=info.run_after, data_interval=info.data_interval
    )
    dag.create_dagrun(
        run_id=run_id,
        logical_date=info.logical_date,
        data_interval=info.data_interval,
        run_after=info.run_after,
        run_type=DagRunType.SCHEDULED,
        triggered_by=DagRunTriggeredByType.CLI,
        state=DagRunState.QUEUED,
        session=session,
    )
    return run_id


def _write(path: Path, content: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)
