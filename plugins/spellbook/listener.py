"""Stores a pending alert when Airflow marks a run as failed, or when a DAG file fails to load; refuses harmful conf.

It also has the DAG processor import files through :mod:`spellbook.importer`.

In the scheduler, the alert is stored as a Variable in the transaction that ends the run, so neither exists without the
other. The listener sends nothing, and accesses only Airflow's own database.

Airflow imports this module in every process: keep it free of heavy imports.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy.orm import Session

    from include.ops.alerts.alert import Alert

BY_AIRFLOW = {"task_failure", "all_tasks_deadlocked", "timed_out"}  # other messages: a user marked the run

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: object) -> None:
    """Register the importer of DAG files in the DAG processor, the only component that loads Airflow's manager of them.

    Airflow calls this before it creates the first parsing process, and before the component has a type.
    """
    if "airflow.dag_processing.manager" in sys.modules:
        from airflow.dag_processing.importers import get_importer_registry
        from airflow.jobs.job import Job

        from spellbook.importer import AdvisingImporter

        if isinstance(component, Job):
            get_importer_registry().register(AdvisingImporter())


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Fail a run at its start if its conf would stop another component; see :mod:`include.core.json_limits`.

    The API refuses such conf, but not Airflow's command line, and it may have been stored before.
    """
    from airflow.utils.state import DagRunState

    from include.core.json_limits import problem_in_values

    if dag_run.conf and (problem := problem_in_values({"conf": dag_run.conf})):
        dag_run.set_state(DagRunState.FAILED)
        dag_run.note = f"refused: {problem}"
        log.error("run %s of %s is refused: %s", dag_run.run_id, dag_run.dag_id, problem)
        _store_run_alert(dag_run, msg, problem)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Store the alert of a failed run."""
    if msg in BY_AIRFLOW:
        _store_run_alert(dag_run, msg)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Store an alert if a task failed although the run succeeded: its process may have died without sending one."""
    if msg == "success":
        _store_run_alert(dag_run, "")


@hookimpl
def on_task_instance_failed(previous_state: TaskInstanceState | None, task_instance: TaskInstance) -> None:
    """Record that somebody marked a task as failed, so that its alert says so."""
    if previous_state is None:  # else a process reports it, or the scheduler, which writes to the audit log itself
        from spellbook.causes import record_mark

        record_mark(task_instance)


@hookimpl
def on_new_dag_import_error(filename: str, stacktrace: str) -> None:
    """Store the alert of a DAG file that fails to load; at most one per hour for the same error."""
    from airflow.utils.session import create_session

    from include.ops.alerts.alert import Alert, Kind
    from include.ops.alerts.wording import in_a_line

    lines = [line for line in stacktrace.splitlines() if line.strip()]
    alert = Alert(
        kind=Kind.IMPORT_ERROR,
        subject=_below_dags(filename),
        attempt=f"{datetime.now(UTC):%Y-%m-%d %H}",
        text=in_a_line(lines[-1] if lines else "no error was reported"),
        advice="Fix the file; until then, none of its DAGs are scheduled. `make gate` shows the error before a commit.",
    )
    with create_session(scoped=False) as session:
        _store(session, alert)


def _store_run_alert(dag_run: DagRun, msg: str, text: str = "") -> None:
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy.orm import object_session

    from include.ops.alerts.alert import UNWATCHED, Alert, Failure, Kind
    from include.ops.alerts.observe import REASONS, attempt_of, is_preview, run_url
    from include.ops.alerts.runbooks import runbook_of
    from include.ops.alerts.wording import advice_of, schedule_in_words
    from spellbook.causes import cause_of

    session = object_session(dag_run)
    if session is None:
        raise RuntimeError(f"run {dag_run.run_id} of {dag_run.dag_id} has no database session; no alert was stored")
    failed = dag_run.get_task_instances(state=[TaskInstanceState.FAILED], session=session)
    if dag_run.dag_id in UNWATCHED or is_preview(dag_run) or not (msg or failed):
        return
    dag = dag_run.get_dag()
    alert = Alert(
        kind=Kind.FAILED,
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        attempt=attempt_of(dag_run),
        owner=next((dag.get_task(ti.task_id).owner for ti in failed if dag.has_task(ti.task_id)), dag.owner),
        schedule=schedule_in_words(dag.timetable),
        advice=advice_of(dag.doc_md),
        runbook=runbook_of(dag.doc_md),
        text=text or REASONS.get(msg, ""),
        run_url=run_url(dag_run.dag_id, dag_run.run_id),
        failures=tuple(
            Failure(
                ti.task_id,
                ti.map_index,
                ti.try_number,
                max(ti.max_tries + 1, ti.try_number),
                cause_of(ti, session),
                ti.log_url,
            )
            for ti in failed
        ),
    )
    _store(session, alert)


def _store(session: Session, alert: Alert) -> None:
    """Insert the Variable if it doesn't exist, without committing."""
    from airflow.models.variable import Variable
    from sqlalchemy.dialects import postgresql, sqlite

    from include.ops.alerts.pending import DESCRIPTION, PendingAlert

    pending = PendingAlert(alert)
    variable = Variable(key=pending.name, val=pending.dumps(), description=DESCRIPTION)
    columns: dict[str, Any] = {
        "key": variable.key,
        "val": variable.__dict__["_val"],
        "description": variable.description,
        "is_encrypted": variable.is_encrypted,
    }
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(dialect.insert(Variable.__table__).values(columns).on_conflict_do_nothing(index_elements=["key"]))
    log.info("Stored %s as Variable %s", alert.key, pending.name)


def _below_dags(filename: str) -> str:
    """Return the file's path below the DAG folder."""
    from airflow.configuration import conf

    return filename.removeprefix(conf.get("core", "dags_folder").rstrip("/") + "/")
