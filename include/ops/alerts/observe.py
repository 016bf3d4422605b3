"""Creates an :class:`~include.ops.alerts.alert.Alert` from the context of an Airflow callback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from include.ops.alerts.alert import Alert, Failure, Kind
from include.ops.alerts.runbooks import runbook_of
from include.ops.alerts.wording import advice_of, error_in_a_line, in_words, schedule_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping


REASONS = {
    "timed_out": "the run took longer than its dagrun_timeout",
    "all_tasks_deadlocked": "no task of the run can start any more",
}


def run_alert(kind: Kind, context: Mapping[str, Any]) -> Alert:
    """Return the alert about a run, from the context of a DAG's or a task's callback.

    For a failed run, it has the failure of the context's task instance.
    """
    dag, run, ti = context["dag"], context.get("dag_run"), context.get("ti")
    failed = kind is Kind.FAILED and ti is not None and _has_failed(context)
    return Alert(
        kind=kind,
        dag_id=dag.dag_id,
        run_id=context["run_id"],
        attempt=attempt_of(run),
        owner=owner_of(dag, ti),
        schedule=schedule_in_words(dag.timetable),
        advice=advice_of(dag.doc_md),
        runbook=runbook_of(dag.doc_md),
        text=REASONS.get(str(context.get("reason")), ""),
        run_url=run_url(dag.dag_id, context["run_id"]),
        failures=(failure_of(context),) if failed and ti is not None else (),
    )


def is_preview(run: Any) -> bool:
    """Return whether a run only shows what it would change; whoever starts one watches it, so it sends no alert."""
    return (getattr(run, "conf", None) or {}).get("preview") is True


def retry_alert(context: Mapping[str, Any]) -> Alert:
    """Return the alert about a try that failed and isn't the last one."""
    alert, failure = run_alert(Kind.RETRY, context), failure_of(context)
    subject = f"{failure.task} {failure.try_number}"
    details = {"subject": subject, "failures": (failure,), "next_try": _next_try(context)}
    return Alert(**(vars(alert) | details))


def failure_of(context: Mapping[str, Any]) -> Failure:
    """Return the failure of the context's task instance."""
    ti = context["ti"]
    return Failure(
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        try_number=ti.try_number,
        max_tries=max(ti.max_tries + 1, (ti.task.retries or 0) + 1, ti.try_number),
        error=error_in_a_line(context.get("exception")),
        log_url=ti.log_url,
    )


def attempt_of(run: Any) -> str:
    """Return what distinguishes runs with the same id: the number of clears and the start, in seconds since 1970."""
    if run is None:
        return ""
    started = int(run.start_date.timestamp()) if run.start_date else 0
    return f"{run.clear_number or 0}.{started}"


def owner_of(dag: Any, ti: Any = None) -> str:
    """Return the owner of the task, or of the DAG if there is no task."""
    task = getattr(ti, "task", None)
    return str(task.owner if task is not None else dag.owner)


def run_url(dag_id: str, run_id: str) -> str:
    """Return the URL of the run in the web UI."""
    from airflow.configuration import conf

    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    return f"{base.rstrip('/')}/dags/{dag_id}/runs/{quote(run_id)}"


def _has_failed(context: Mapping[str, Any]) -> bool:
    """Return whether the context's task instance failed; a run may also time out or deadlock."""
    return str(context.get("reason", "task_failure")) == "task_failure"


def _next_try(context: Mapping[str, Any], now: datetime | None = None) -> str:
    """Return when Airflow retries: it draws the delay from the backoff to twice the backoff, and caps it."""
    ti, now = context["ti"], now or datetime.now(UTC)
    task = ti.task
    policy, error = task.retry_policy, context.get("exception")
    if policy is not None and isinstance(error, BaseException):
        decision = policy.evaluate(error, ti.try_number, ti.max_tries, context)
        if decision.retry_delay is not None:
            reason = f" ({decision.reason})" if decision.reason else ""
            return f"at {now + decision.retry_delay:%H:%M:%S} UTC, in {in_words(decision.retry_delay)}{reason}"
    cap = _max_delay(task)
    backoff = task.retry_delay * float(task.retry_exponential_backoff or 1) ** (ti.try_number - 1)
    minimum, maximum = min(backoff, cap), min(backoff * 2, cap)
    if minimum == maximum or float(task.retry_exponential_backoff or 1) == 1:
        return f"at {now + minimum:%H:%M:%S} UTC, in {in_words(minimum)}"
    return f"between {now + minimum:%H:%M:%S} and {now + maximum:%H:%M:%S} UTC"


def _max_delay(task: Any) -> timedelta:
    from airflow.configuration import conf

    return task.max_retry_delay or timedelta(seconds=conf.getint("core", "max_task_retry_delay"))
