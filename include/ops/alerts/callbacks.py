"""The callbacks that the cluster policy adds to every DAG and task; each puts an alert into the outbox.

Where Airflow runs them, and their time limits:

- a task's failure and retry callbacks: in the task's process, which is killed ``[core] task_success_overtime`` seconds
  after the task; if the process died, in the DAG processor, or not at all
- a DAG's callbacks: in the DAG processor, at most once, within ``[dag_processor] dag_file_processor_timeout``
- a deadline's callback: in the triggerer, by a trigger that survives a restart

None is reliable: :mod:`spellbook.listener` stores a pending alert for each failed run in the transaction that ends the
run. The callbacks make alerts fast, and add the errors.

Every Airflow process imports this module: keep it free of heavy imports.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Context

    from include.ops.alerts.alert import Alert
    from include.ops.alerts.outbox import Outbox

ERROR_WAIT_SECONDS = 4.0  # how long a failed run's alert waits for its last task to report the error
RETRY_SECONDS = 30

log = logging.getLogger(__name__)


def on_task_failure(context: Context) -> None:
    """Put the failure into the outbox; it is sent when the run ends, or after half a minute if the run continues."""
    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import is_preview, run_alert
    from include.ops.alerts.outbox import ROLL_UP

    if is_preview(context.get("dag_run")):
        return
    _report(run_alert(Kind.FAILED, context), lambda outbox, alert: _put(outbox, alert, wait=ROLL_UP), at_once=False)


def on_task_retry(context: Context) -> None:
    """Send an alert about a failed try and the time of the next one; for tasks that opt in."""
    from include.ops.alerts.observe import retry_alert

    _report(retry_alert(context), _put_and_send)


def on_note(context: Context, text: str) -> None:
    """Add ``text`` to the alert of a failed or succeeded run, or send it as a separate message about a task."""
    from dataclasses import replace

    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import run_alert
    from include.ops.alerts.outbox import ROLL_UP
    from include.ops.alerts.wording import in_a_line

    line = in_a_line(text)
    if "reason" in context:  # a DAG's callback
        kind = Kind.SUCCEEDED if context["reason"] == "success" else Kind.FAILED
        _report(replace(run_alert(kind, context), text=line), _put_and_send)
    elif context.get("exception") is not None:
        alert = replace(run_alert(Kind.FAILED, context), text=line)
        _report(alert, lambda outbox, alert: _put(outbox, alert, wait=ROLL_UP), at_once=False)
    else:
        ti = context["ti"]
        subject = f"{ti.task_id} {ti.map_index} {ti.try_number}"
        _report(replace(run_alert(Kind.NOTE, context), subject=subject, text=line), _put_and_send)


def on_dag_failure(context: Context) -> None:
    """Send the alert of a failed run, with all of its failures."""
    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import is_preview, run_alert

    # The run is missing if the DAG has changed since; the pending alert is sent within a minute.
    if "dag_run" in context and not is_preview(context["dag_run"]):
        _report(run_alert(Kind.FAILED, context), _put_and_send)


def on_dag_success(context: Context) -> None:
    """Send the alert of a succeeded run, and whether it recovered from failures."""
    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import is_preview, run_alert

    if "dag_run" in context and not is_preview(context["dag_run"]):
        _report(run_alert(Kind.SUCCEEDED, context), _put_and_send)


async def on_deadline(
    context: Mapping[str, Any],
    owner: str = "",
    schedule: str = "",
    advice: str = "",
    runbook: str = "",
    patience: float = 86400,
) -> None:
    """Put the alert of a late run into the outbox, unless the run has failed, which has its own alert.

    Args:
        context: ``dag_run`` and ``deadline``, as in Airflow's REST API.
        owner: owner of the DAG.
        schedule: the schedule in words.
        advice: what to do.
        runbook: name of the DAG's runbook.
        patience: seconds to keep trying to use the warehouse.

    Raises:
        psycopg.Error: if the warehouse can't be reached, or accepts no writes, for that long.
    """
    from airflow.sdk import Connection
    from psycopg import Error

    from include.ops.alerts.alert import Alert, Kind
    from include.ops.alerts.observe import run_url
    from include.ops.alerts.routing import routing

    run, deadline = context["dag_run"], context["deadline"]
    if run["state"] == "failed":
        return
    due = datetime.fromisoformat(str(deadline["deadline_time"])).astimezone(UTC)
    alert = Alert(
        kind=Kind.LATE,
        dag_id=run["dag_id"],
        run_id=run["dag_run_id"],
        subject=due.isoformat(),
        owner=owner,
        schedule=schedule,
        advice=advice,
        runbook=runbook,
        text=f"not done by {due:%Y-%m-%d %H:%M:%S} UTC",
        run_url=run_url(run["dag_id"], run["dag_run_id"]),
    )
    uri = (await Connection.async_get("postgres_default")).get_uri()
    available = {route.conn_id for route in routing().routes(alert) if await _connection_exists(route.conn_id)}
    until = time.monotonic() + patience
    while True:
        try:
            await asyncio.to_thread(_put_at, uri, alert, available)
        except Error:
            if time.monotonic() + RETRY_SECONDS > until:
                raise
            log.warning("The warehouse can't be used; putting the alert into the outbox is retried: %s", alert.key)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def _report(alert: Alert, action: Callable[[Outbox, Alert], None], *, at_once: bool = True) -> None:
    """Put an alert into the outbox; if that fails, store it as pending, and if ``at_once`` send it.

    Never raises, since a callback's error would hide the task's own. Errors are logged with the alert.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException
    from psycopg import Error

    from include.core.errors import ConfigurationError
    from include.ops.alerts.open_outbox import open_outbox

    try:
        with open_outbox() as outbox:
            action(outbox, alert)
    except (Error, ConfigurationError, AirflowNotFoundException) as error:
        log.warning("The outbox can't be used (%s); handling the alert without it: %s", error, alert.key)
        _report_without_outbox(alert, at_once=at_once)
    except Exception:
        log.exception("Can't put the alert into the outbox: %s", alert.key)


def _put(outbox: Outbox, alert: Alert, **options: Any) -> None:
    from include.ops.alerts.delivery import connection_exists

    outbox.put(alert, datetime.now(UTC), available=connection_exists, **options)


def _put_and_send(outbox: Outbox, alert: Alert) -> None:
    from include.ops.alerts.alert import Kind

    _put(outbox, _with_errors(outbox, alert) if alert.kind is Kind.FAILED else alert)
    sent = outbox.send(alert, datetime.now(UTC))
    log.info("Alert %s: %d message(s) sent", alert.key, sent)


def _with_errors(outbox: Outbox, alert: Alert) -> Alert:
    """Wait until the task's own callback has reported the error, else take it from the pending alert."""
    from include.ops.alerts import fallback_delivery, history, pending

    until = time.monotonic() + ERROR_WAIT_SECONDS
    while time.monotonic() < until:
        if all(history.has_error(outbox.session, alert, failure) for failure in alert.failures):
            return alert
        time.sleep(0.1)
    return fallback_delivery.merge(alert, pending.find(alert)).alert


def _put_at(uri: str, alert: Alert, available: set[str]) -> None:
    from include.ops.alerts.open_outbox import open_outbox

    with open_outbox(uri) as outbox:
        outbox.put(alert, datetime.now(UTC), available=available.__contains__)


async def _connection_exists(conn_id: str) -> bool:
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        await Connection.async_get(conn_id)
    except AirflowNotFoundException:
        return False
    return True


def _report_without_outbox(alert: Alert, *, at_once: bool) -> None:
    from include.ops.alerts import fallback_delivery, pending

    try:
        merged = fallback_delivery.merge(alert, pending.find(alert))
        pending.store(fallback_delivery.send(merged, datetime.now(UTC)) if at_once else merged)
    except Exception:
        log.exception("Can't send or store the alert: %s", alert.key)
