"""What the cluster policy gives to every DAG and task: Airflow's callbacks, each of which ends in the outbox.

Where Airflow runs them, and how long they may take:

- a task's failure and retry callbacks: in the task's process, which is killed ``[core] task_success_overtime`` seconds
  after the task; if the process died, in the DAG processor, or not at all
- a DAG's callbacks: in the DAG processor, at most once, within ``[dag_processor] dag_file_processor_timeout``
- a deadline's: in the triggerer, by a trigger that outlives a restart

None may be relied upon: :mod:`spellbook.listener` parks each failed run in the transaction that ends it. The callbacks
are what makes an alert quick, and what knows its errors.

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

PATIENCE = 4.0  # seconds that a failed run's alert waits for its last task to tell the error
RETRY_SECONDS = 30

log = logging.getLogger(__name__)


def on_task_failure(context: Context) -> None:
    """Put the failure into the outbox; it is sent when the run ends, or half a minute later if it goes on."""
    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import run_alert
    from include.ops.alerts.outbox import ROLL_UP

    _say(run_alert(Kind.FAILED, context), lambda outbox, alert: _put(outbox, alert, wait=ROLL_UP), at_once=False)


def on_task_retry(context: Context) -> None:
    """Tell that a try failed, and when the next one comes; for a task that asks for it."""
    from include.ops.alerts.observe import retry_alert

    _say(retry_alert(context), _put_and_send)


def on_note(context: Context, text: str) -> None:
    """Say ``text`` in the alert of the run that failed or succeeded, or in a message of its own about a task."""
    from dataclasses import replace

    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import run_alert
    from include.ops.alerts.outbox import ROLL_UP
    from include.ops.alerts.wording import in_a_line

    said = in_a_line(text)
    if "reason" in context:  # a DAG's callback
        kind = Kind.SUCCEEDED if context["reason"] == "success" else Kind.FAILED
        _say(replace(run_alert(kind, context), text=said), _put_and_send)
    elif context.get("exception") is not None:
        alert = replace(run_alert(Kind.FAILED, context), text=said)
        _say(alert, lambda outbox, alert: _put(outbox, alert, wait=ROLL_UP), at_once=False)
    else:
        ti = context["ti"]
        subject = f"{ti.task_id} {ti.map_index} {ti.try_number}"
        _say(replace(run_alert(Kind.NOTE, context), subject=subject, text=said), _put_and_send)


def on_dag_failure(context: Context) -> None:
    """Send the alert of a failed run, with all of its failures."""
    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import run_alert

    if "dag_run" in context:  # else the DAG has changed since; what the scheduler stored is sent within a minute
        _say(run_alert(Kind.FAILED, context), _put_and_send)


def on_dag_success(context: Context) -> None:
    """Tell that a run succeeded, and whether the ones before it hadn't."""
    from include.ops.alerts.alert import Kind
    from include.ops.alerts.observe import run_alert

    if "dag_run" in context:
        _say(run_alert(Kind.SUCCEEDED, context), _put_and_send)


async def on_deadline(
    context: Mapping[str, Any],
    owner: str = "",
    schedule: str = "",
    advice: str = "",
    runbook: str = "",
    patience: float = 86400,
) -> None:
    """Put the alert of a late run into the outbox, unless the run has failed, which is alerted already.

    Args:
        context: ``dag_run`` and ``deadline``, as Airflow's REST API shows them.
        owner: of the DAG.
        schedule: in words.
        advice: what to do.
        runbook: name of the DAG's runbook.
        patience: seconds for which it tries to reach the warehouse.

    Raises:
        psycopg.OperationalError: if the warehouse can't be reached for so long.
    """
    from airflow.sdk import Connection
    from psycopg import OperationalError

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
    known = {route.conn_id for route in routing().routes(alert) if await _is_there(route.conn_id)}
    until = time.monotonic() + patience
    while True:
        try:
            await asyncio.to_thread(_put_at, uri, alert, known)
        except OperationalError:
            if time.monotonic() + RETRY_SECONDS > until:
                raise
            log.warning("The warehouse can't be reached; the alert is put into its outbox later: %s", alert.key)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def _say(alert: Alert, how: Callable[[Outbox, Alert], None], *, at_once: bool = True) -> None:
    """Put an alert into the outbox; without the warehouse, park it, and if ``at_once`` send it as it is.

    Never raises: a callback's error would hide the task's own. What goes wrong is logged with the alert.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException
    from psycopg import OperationalError

    from include.ops.alerts.open_outbox import open_outbox

    try:
        with open_outbox() as outbox:
            how(outbox, alert)
    except (OperationalError, AirflowNotFoundException) as error:
        log.warning("The outbox can't be reached (%s); the alert goes its way without: %s", error, alert.key)
        _say_without_outbox(alert, at_once=at_once)
    except Exception:
        log.exception("The alert was not put into the outbox: %s", alert.key)


def _put(outbox: Outbox, alert: Alert, **how: Any) -> None:
    from include.ops.alerts.delivery import is_there

    outbox.put(alert, datetime.now(UTC), available=is_there, **how)


def _put_and_send(outbox: Outbox, alert: Alert) -> None:
    from include.ops.alerts.alert import Kind

    _put(outbox, _with_errors(outbox, alert) if alert.kind is Kind.FAILED else alert)
    sent = outbox.send(alert, datetime.now(UTC))
    log.info("Alert %s: %d message(s) sent", alert.key, sent)


def _with_errors(outbox: Outbox, alert: Alert) -> Alert:
    """Wait for the error that the task's own callback tells; a task that was cut off from the outbox has stored it."""
    from include.ops.alerts import fallback_delivery, history, pending

    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if all(history.knows_error(outbox.session, alert, failure) for failure in alert.failures):
            return alert
        time.sleep(0.1)
    return fallback_delivery.joined(alert, pending.find(alert)).alert


def _put_at(uri: str, alert: Alert, known: set[str]) -> None:
    from include.ops.alerts.open_outbox import open_outbox

    with open_outbox(uri) as outbox:
        outbox.put(alert, datetime.now(UTC), available=known.__contains__)


async def _is_there(conn_id: str) -> bool:
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        await Connection.async_get(conn_id)
    except AirflowNotFoundException:
        return False
    return True


def _say_without_outbox(alert: Alert, *, at_once: bool) -> None:
    from include.ops.alerts import fallback_delivery, pending

    try:
        waiting = fallback_delivery.joined(alert, pending.find(alert))
        pending.store(fallback_delivery.send(waiting, datetime.now(UTC)) if at_once else waiting)
    except Exception:
        log.exception("The alert could neither be sent nor stored: %s", alert.key)
