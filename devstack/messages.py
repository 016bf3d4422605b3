"""The messages that a run sent, as they arrived in the stack's Slack and mail sinks."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from devstack.state import State
from include.alerts.alert import UNWATCHED

PATIENCE = 8  # seconds; a run's last message comes from the DAG processor, a second or two after its end
SETTLED = """
    SELECT count(*) = count(sent_at) OR max(created_at) < now() - interval '3 seconds' AS settled FROM alert_outbox
    WHERE dag_id = %s AND run_id = %s AND kind IN ('failed', 'succeeded') AND created_at >= %s - interval '1 minute'
    HAVING count(*) > 0
"""


def write(
    console: Console, state: State, warehouse: psycopg.Connection[dict[str, Any]], dag_id: str, run: dict[str, Any]
) -> None:
    """Print what arrived since the run began and names it; wait for the message that ends it."""
    begun = datetime.fromisoformat(run["start_date"] or run["queued_at"])
    ended = datetime.fromisoformat(run["end_date"])
    with warehouse as session:
        session.autocommit = True
        until = time.monotonic() + (0 if dag_id in UNWATCHED else PATIENCE)
        while time.monotonic() < until and not _is_settled(session, dag_id, run["dag_run_id"], ended):
            time.sleep(0.1)
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
