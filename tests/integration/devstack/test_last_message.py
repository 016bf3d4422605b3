"""When the report of `make run` stops waiting for a run's last message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from devstack.messages import _last_message

INSERT = """
    INSERT INTO alert_outbox (
        alert_key, medium, conn_id, recipient, username, kind, severity, dag_id, run_id, attempt, body,
        created_at, due_at, next_at, sent_at
    )
    VALUES ('key', 'slack', '', '', '', 'failed', 'high', 'shop', 'run', '', '{}', %s, %s, %s, %s)
"""


@pytest.mark.parametrize(
    ("due", "sent", "expected"),
    [
        (timedelta(hours=1), False, {"sent": False, "overdue": False}),  # more failures of the run may follow
        (timedelta(seconds=-10), False, {"sent": False, "overdue": True}),
        (timedelta(hours=1), True, {"sent": True, "overdue": False}),
    ],
)
def test_a_message_that_is_not_due_yet_is_awaited(
    warehouse: str, due: timedelta, sent: bool, expected: dict[str, bool]
) -> None:
    now = datetime.now(UTC)
    with psycopg.connect(warehouse) as connection, connection.cursor(row_factory=dict_row) as cursor:
        assert _last_message(cursor, "shop", "run", now) is None
        cursor.execute(INSERT, [now - timedelta(seconds=10), now + due, now, now if sent else None])
        assert _last_message(cursor, "shop", "run", now) == expected
