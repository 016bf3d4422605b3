"""Report the messages that a run sent to the stack's Slack and mail sinks."""

from __future__ import annotations

import html
import json
import time
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from devstack.airflow_daemons import record_of
from devstack.postgres import Postgres
from devstack.process import Record
from devstack.stack import Stack
from devstack.state import State
from include.core.warehouse.connect import connect
from include.ops.alerts.alert import UNWATCHED

QUIET_SECONDS = 8.0  # the DAG processor sends a run's last message a second or two after its end
LAST_MESSAGE = """
    SELECT count(*) = count(sent_at) AS sent, max(due_at) < now() - interval '3 seconds' AS overdue FROM alert_outbox
    WHERE dag_id = %s AND run_id = %s AND kind IN ('failed', 'succeeded') AND created_at >= %s - interval '1 minute'
    HAVING count(*) > 0
"""
CALLBACKS = "SELECT 1 FROM callback WHERE type = 'dag_processor' LIMIT 1"


def write(console: Console, stack: Stack, dag_id: str, run: dict[str, Any]) -> None:
    """Wait for the run's final message, then print the messages that name the run."""
    state = stack.state
    started_at = datetime.fromisoformat(run["start_date"] or run["queued_at"])
    if dag_id not in UNWATCHED:
        _wait_until_settled(stack, dag_id, run)
    received = sorted([*_slack(state, started_at, run["dag_run_id"]), *_mail(state, started_at, run["dag_run_id"])])
    if not received:
        console.print("no message arrived yet; pending ones are in the table alert_outbox, and alerts_drain sends them")
        return
    table = Table(title="Messages", title_justify="left")
    for heading in ("at (UTC)", "by", "to", "text"):
        table.add_column(heading, overflow="fold")
    for when, medium, target, text in received:
        table.add_row(f"{datetime.fromtimestamp(when / 1e9, UTC):%H:%M:%S}", medium, target, text)
    console.print(table)


def _wait_until_settled(stack: Stack, dag_id: str, run: dict[str, Any]) -> None:
    """Wait until the run's last message is sent or deferred, or the DAG processor has been idle for a while."""
    ended = datetime.fromisoformat(run["end_date"])
    busy_at = time.monotonic()
    state = stack.state
    with connect(stack.warehouse_uri) as session, Postgres.of(state).connect("airflow") as metadata:
        warehouse = session.cursor(row_factory=dict_row)
        metadata.autocommit = True
        while True:
            busy = _has_callbacks(state, metadata)  # asked first: what a callback stored is seen after its end
            row = _last_message(warehouse, dag_id, run["dag_run_id"], ended)
            if row and (row["sent"] or (row["overdue"] and not busy)):
                return
            if busy:
                busy_at = time.monotonic()
            elif time.monotonic() - busy_at > QUIET_SECONDS:
                return
            state.note_waiting()
            time.sleep(0.1)


def _has_callbacks(state: State, metadata: psycopg.Connection[dict[str, Any]]) -> bool:
    """Tell whether callbacks are queued for the DAG processor or running in it."""
    record = Record.read(record_of(state, "dag-processor"))
    processor = record.process() if record else None
    try:
        return bool(processor and processor.children()) or metadata.execute(CALLBACKS).fetchone() is not None
    except psutil.NoSuchProcess:
        return False


def _last_message(
    warehouse: psycopg.Cursor[dict[str, Any]], dag_id: str, run_id: str, ended: datetime
) -> dict[str, Any] | None:
    """Return whether the run's last message was ``sent``, or is ``overdue``: deferred; ``None`` if there is none."""
    return warehouse.execute(LAST_MESSAGE, [dag_id, run_id, ended]).fetchone()


def _slack(state: State, started_at: datetime, run_id: str) -> list[tuple[int, str, str, str]]:
    rows = []
    for when, path in _received(state, "slack", started_at):
        body = json.loads(path.read_bytes())
        if run_id in json.dumps(body):
            rows.append((when, "Slack", body.get("channel", ""), html.unescape(body.get("text", ""))))
    return rows


def _mail(state: State, started_at: datetime, run_id: str) -> list[tuple[int, str, str, str]]:
    rows = []
    for when, path in _received(state, "mail", started_at):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        text = mail.get_body(("html", "plain"))
        if text and run_id in text.get_content():
            rows.append((when, "mail", mail["To"], mail["Subject"]))
    return rows


def _received(state: State, kind: str, started_at: datetime) -> list[tuple[int, Path]]:
    """Return the files received since then, each with the time in nanoseconds that its name starts with."""
    files = ((int(path.name.partition("-")[0]), path) for path in (state.root / "alerts" / kind).glob("[0-9]*"))
    return [(when, path) for when, path in files if when >= started_at.timestamp() * 1e9]
