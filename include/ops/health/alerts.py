"""The outbox of alerts: what waits, what was refused, what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.rows import class_row

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

SHOWN = 100
# The recipient of a mail is personal, and not shown.
SELECT = """
    SELECT
        id, medium, conn_id, kind, severity, dag_id, run_id, created_at, next_at, attempts, refused, sent_at,
        left(body ->> 'subject', 200) AS subject, left(body ->> 'text', 500) AS text,
        left(last_error, 300) AS last_error, left(kept_back, 300) AS kept_back
    FROM alert_outbox
"""
WAITING = SELECT + "WHERE sent_at IS NULL ORDER BY id LIMIT %s"
RECENT = SELECT + "WHERE sent_at > now() - interval '7 days' ORDER BY sent_at DESC, id DESC LIMIT %s"


@dataclass(frozen=True)
class Message:
    """An alert to a channel; the attributes are columns of ``alert_outbox`` and fields of its body."""

    id: int
    medium: str
    conn_id: str
    kind: str
    severity: str
    dag_id: str
    run_id: str
    created_at: datetime
    next_at: datetime
    attempts: int
    refused: bool
    sent_at: datetime | None
    subject: str | None
    text: str | None
    last_error: str | None
    kept_back: str | None


class Outbox(NamedTuple):
    """The outbox.

    Attributes:
        waiting: alerts that aren't delivered yet, oldest first.
        recent: alerts of the last seven days, delivered or kept back, newest first.
        drained_at: when a round of ``alerts_drain`` was last done.
    """

    waiting: list[Message]
    recent: list[Message]
    drained_at: datetime


def outbox(session: Session) -> Outbox:
    """Return the outbox."""
    with session.cursor(row_factory=class_row(Message)) as cursor:
        waiting = cursor.execute(WAITING, [SHOWN]).fetchall()
        recent = cursor.execute(RECENT, [SHOWN]).fetchall()
    drained: Any = session.execute("SELECT finished_at FROM alert_drain").fetchone()
    return Outbox(waiting, recent, drained[0])
