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
    from include.ops.alerts.pending import PendingAlert

ERROR_WAIT_SECONDS = 4.0  # how long a failed run's alert waits for its last task to report the error
RETRY_SECONDS = 30

log = logging.getLogger(__name__)


def on_task_failure(context: Context) -> None:
    """Put the failure into the outbox; it is sent when the run ends, or after half a minute if the run continues."""
    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import is_preview, run_alert

    if is_preview(context.get("dag_run")):
        return
    _report(run_alert(Kind.FAILED, context), _put_and_wait, at_once=False)


def on_task_retry(context: Context) -> None:
    """Send an alert about a failed try and the time of the next one; for tasks that opt in."""
    from include.ops.alerts.observe import retry_alert

    _report(retry_alert(context), _put_and_send)


def on_note(context: Context, text: str) -> None:
    """Add ``text`` to the alert of a failed or succeeded run, or send it as a separate message about a task."""
    from dataclasses import replace

    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import run_alert
    from include.ops.alerts.wording import in_a_line

    line = in_a_line(text)
    if "reason" in context:  # a DAG's callback
        kind = Kind.SUCCEEDED if context["reason"] == "success" else Kind.FAILED
        _report(replace(run_alert(kind, context), text=line), _put_and_send)
    elif context.get("exception") is not None:
        alert = replace(run_alert(Kind.FAILED, context), text=line)
        _report(alert, _put_and_wait, at_once=False)
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
    """Put the alert of a late run into the outbox, or store it as pending, unless the run has failed.

    Args:
        context: ``dag_run`` and ``deadline``, as in Airflow's REST API.
        owner: owner of the DAG.
        schedule: the schedule in words.
        advice: what to do.
        runbook: name of the DAG's runbook.
        patience: seconds to keep trying.

    Raises:
        Exception: if neither the warehouse nor Airflow's Variables could be used for that long.
    """
    from include.ops.alerts.alert import Alert, Kind
    from include.ops.alerts.observe import run_url

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
    until = time.monotonic() + patience
    while True:
        try:
            await asyncio.to_thread(_store, alert, _put, at_once=False)
        except Exception:
            if time.monotonic() + RETRY_SECONDS > until:
                raise
            log.warning("The alert could not be stored; this is retried: %s", alert.key, exc_info=True)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def _report(alert: Alert, action: Callable[[Outbox, Alert], None], *, at_once: bool = True) -> None:
    """Put an alert into the outbox; if that fails, store it as pending, and if ``at_once`` send it.

    Never raises, since a callback's error would hide the task's own. Errors are logged with the alert.
    """
    try:
        _store(alert, action, at_once=at_once)
    except Exception:
        log.exception("Can't store the alert: %s", alert.key)


def _store(alert: Alert, action: Callable[[Outbox, Alert], None], *, at_once: bool) -> None:
    """Put an alert into the outbox; whatever prevents that, store it as pending, and if ``at_once`` send it.

    Raises:
        Exception: if it can't be stored either.
    """
    from include.ops.alerts import fallback_delivery, pending
    from include.ops.alerts.open_outbox import open_outbox

    try:
        with open_outbox() as outbox:
            action(outbox, alert)
    except Exception as error:
        log.warning("The outbox can't be used (%s); handling the alert without it: %s", error, alert.key)
    else:
        return
    merged = _merged(alert)
    if at_once:
        try:
            merged = fallback_delivery.send(merged, datetime.now(UTC))
        except Exception:
            log.exception("The alert can't be sent now: %s", alert.key)
    pending.store(merged)


def _put(outbox: Outbox, alert: Alert) -> None:
    outbox.put(alert, datetime.now(UTC))


def _put_and_wait(outbox: Outbox, alert: Alert) -> None:
    from include.ops.alerts.outbox import ROLL_UP

    outbox.put(alert, datetime.now(UTC), wait=ROLL_UP)


def _put_and_send(outbox: Outbox, alert: Alert) -> None:
    from include.ops.alerts.alert import Kind

    _put(outbox, _with_errors(outbox, alert) if alert.kind is Kind.FAILED else alert)
    try:
        sent = outbox.send(alert, datetime.now(UTC))
    except Exception:
        log.exception("Alert %s is in the outbox; sending it is left to alerts_drain", alert.key)
    else:
        log.info("Alert %s: %d message(s) sent", alert.key, sent)


def _with_errors(outbox: Outbox, alert: Alert) -> Alert:
    """Wait until the task's own callback has reported the error, else take it from the pending alert."""
    from include.ops.alerts import history

    until = time.monotonic() + ERROR_WAIT_SECONDS
    while time.monotonic() < until:
        if all(history.has_error(outbox.session, alert, failure) for failure in alert.failures):
            return alert
        time.sleep(0.1)
    return _merged(alert).alert


def _merged(alert: Alert) -> PendingAlert:
    """Return the alert with what is known from its pending alert, if that can be read."""
    from include.ops.alerts import fallback_delivery, pending

    try:
        stored = pending.find(alert)
    except Exception:
        log.exception("The pending alert can't be read: %s", alert.key)
        stored = None
    return fallback_delivery.merge(alert, stored)
