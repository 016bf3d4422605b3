"""Alarms of the model monitoring that a person has acknowledged."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table."""
    op.execute("""
        CREATE TABLE model_alarm_acknowledgement (
            model text NOT NULL,
            -- kind/version/segment/feature
            alarm text NOT NULL,
            day date NOT NULL,
            -- How large the alarm was; it is raised again when it has become much larger, or changed direction.
            size double precision NOT NULL,
            reason text NOT NULL,
            acknowledged_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (model, alarm, day)
        )
    """)
