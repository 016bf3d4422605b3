"""Rename the column ``date`` of the drift tables to ``day``."""

from __future__ import annotations

from alembic import op
from sqlalchemy import inspect

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Rename the column where a table has it: a dataset creates its table with its first load."""
    inspector = inspect(op.get_bind())
    for table in ("model_daily", "model_drift"):
        if inspector.has_table(table) and "date" in {column["name"] for column in inspector.get_columns(table)}:
            op.alter_column(table, "date", new_column_name="day")
