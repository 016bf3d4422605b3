"""`maintenance` on Airflow's own database: it reports first, and deletes only on request."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from devstack.stack import Stack
from tests.integration.runs.conftest import Make, server

MARK = "written a hundred days ago"


@pytest.fixture
def old_rows(stack: Stack) -> Callable[[], int]:
    """Insert an expired row into the audit log; return a function that counts such rows."""

    def count() -> int:
        with psycopg.connect(server(stack).uri("airflow")) as connection:
            row = connection.execute("SELECT count(*) FROM log WHERE event = %s", [MARK]).fetchone()
        assert row is not None
        return int(row[0])

    with psycopg.connect(server(stack).uri("airflow")) as connection:
        connection.execute("INSERT INTO log (dttm, event) VALUES (now() - interval '100 days', %s)", [MARK])
    return count


def test_old_rows_are_reported_then_deleted(make_run: Make, old_rows: Callable[[], int]) -> None:
    dry_run = make_run("maintenance")
    assert dry_run.good, dry_run.text
    assert old_rows() == 1
    result = make_run("maintenance", dry_run=False)
    assert result.good, result.text
    assert "room_left success" in result.text
    assert old_rows() == 0
