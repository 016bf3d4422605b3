"""The messages that a run sent, as they arrived in the stack's Slack and mail sinks."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from devstack.airflow_daemons import record_of
from devstack.postgres import Postgres
from devstack.process import Record
from devstack.state import State
from include.ops.alerts.alert import UNWATCHED

QUIET_SECONDS = 8.0  # a run's last message comes from the DAG processor, a second or two after its end
SETTLED = """
    SELECT count(*) = count(sent_at) OR max(created_at) < now() - interval '3 seconds' AS settled FROM alert_outbox
    WHERE dag_id = %s AND run_id = %s AND kind IN ('failed', 'succeeded') AND created_at >= %s - interval '1 minute'
    HAVING count(*) > 0
"""
CALLBACKS = "SELECT 1 FROM callback WHERE type = 'dag_processor' LIMIT 1"


def write(console: Console, state: State, dag_id: str, run: dict[str, Any]) -> None:
    """Print what arrived since the run began and names it; wait for the message that ends it."""
    begun = datetime.fromisoformat(run["start_date"] or run["queued_at"])
    if dag_id not in UNWATCHED:
        _wait_until_settled(state, dag_id, run)
    arrived = sorted([*_slack(state, begun, run["dag_run_id"]), *_mail(state, begun, run["dag_run_id"])])
    if not arrived:
        console.print("no message arrived yet: what waits is in the table alert_outbox, which alerts_drain sends")
        return
    table = Table(title="Messages", title_justify="left")
    for heading in ("at (UTC)", "by", "to", "text"):
        table.add_column(heading, overflow="fold")
    for when, medium, target, text in arrived:
        table.add_row(f"{datetime.fromtimestamp(when / 1e9, UTC):%H:%M:%S}", medium, target, text)
    console.print(table)


def _wait_until_settled(state: State, dag_id: str, run: dict[str, Any]) -> None:
    """Wait for the run's last message to be sent or put off, or for the DAG processor to have had nothing to do."""
    ended = datetime.fromisoformat(run["end_date"])
    busy_at = time.monotonic()
    server = Postgres.of(state)
    with server.connect("warehouse") as warehouse, server.connect("airflow") as metadata:
        warehouse.autocommit = metadata.autocommit = True
        while not _is_settled(warehouse, dag_id, run["dag_run_id"], ended):
            if _has_callbacks(state, metadata):
                busy_at = time.monotonic()
            elif time.monotonic() - busy_at > QUIET_SECONDS:
                return
            state.note_waiting()
            time.sleep(0.1)


def _has_callbacks(state: State, metadata: psycopg.Connection[dict[str, Any]]) -> bool:
    """Tell whether callbacks wait for the DAG processor, or run there."""
    record = Record.read(record_of(state, "dag-processor"))
    processor = record.process() if record else None
    try:
        return bool(processor and processor.children()) or metadata.execute(CALLBACKS).fetchone() is not None
    except psutil.NoSuchProcess:
        return False


def _is_settled(session: psycopg.Connection[dict[str, Any]], dag_id: str, run_id: str, ended: datetime) -> bool:
    """Tell whether the run's last message went, or waits: as one of many in a minute, or as its way out is shut."""
    try:
        found = session.execute(SETTLED, [dag_id, run_id, ended]).fetchone()
    except psycopg.errors.UndefinedTable:
        return False
    return found is not None and bool(found["settled"])


def _slack(state: State, begun: datetime, run_id: str) -> list[tuple[int, str, str, str]]:
    found = []
    for when, path in _arrived(state, "slack", begun):
        body = json.loads(path.read_bytes())
        if run_id in json.dumps(body):
            found.append((when, "Slack", body.get("channel", ""), body.get("text", "")))
    return found


def _mail(state: State, begun: datetime, run_id: str) -> list[tuple[int, str, str, str]]:
    found = []
    for when, path in _arrived(state, "mail", begun):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        text = mail.get_body(("html", "plain"))
        if text and run_id in text.get_content():
            found.append((when, "mail", mail["To"], mail["Subject"]))
    return found


def _arrived(state: State, kind: str, begun: datetime) -> list[tuple[int, Path]]:
    """Return the files since then, each with its time in nanoseconds, which its name begins with."""
    named = ((int(path.name.partition("-")[0]), path) for path in (state.root / "alerts" / kind).glob("[0-9]*"))
    return [(when, path) for when, path in named if when >= begun.timestamp() * 1e9]
