"""One outbox row for each mail address, and when alerts were last drained."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Split the unsent rows with several addresses, and create the table."""
    op.execute("""
        INSERT INTO alert_outbox (
            alert_key, medium, conn_id, recipient, username, kind, severity, dag_id, run_id, attempt, body,
            created_at, due_at, attempts, next_at, refused, last_error
        )
        SELECT
            alert_key, medium, conn_id, address, username, kind, severity, dag_id, run_id, attempt, body,
            created_at, due_at, attempts, next_at, refused, last_error
        FROM alert_outbox, LATERAL unnest(string_to_array(recipient, ', ')) AS address
        WHERE medium = 'mail' AND sent_at IS NULL AND recipient LIKE '%, %'
        ORDER BY id
        ON CONFLICT DO NOTHING
    """)
    op.execute("DELETE FROM alert_outbox WHERE medium = 'mail' AND sent_at IS NULL AND recipient LIKE '%, %'")
    op.execute("""
        CREATE TABLE alert_drain (
            -- There is one row.
            one boolean PRIMARY KEY DEFAULT TRUE CHECK (one),
            -- When a round of alerts_drain last did all that it does; at first, when the table was created.
            finished_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("INSERT INTO alert_drain DEFAULT VALUES")
