"""The gates' verdicts on candidates, and the cross-validations that they rest on."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the tables."""
    op.execute("""
        CREATE TABLE model_verdict (
            model text NOT NULL,
            candidate text NOT NULL,
            verdict jsonb NOT NULL,
            judged_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (model, candidate)
        )
    """)
    op.execute("""
        CREATE TABLE model_scores (
            key text PRIMARY KEY CHECK (key ~ '^[0-9a-f]{64}$'),
            probabilities bytea NOT NULL,
            measured_at timestamptz NOT NULL DEFAULT now()
        )
    """)
