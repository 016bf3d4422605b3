"""`maintenance` on Airflow's own database: it tells first, and removes only when it is asked to."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from devstack.stack import Stack
from tests.integration.runs.conftest import Make, server

MARK = "written a hundred days ago"


@pytest.fixture
def old_rows(stack: Stack) -> Callable[[], int]:
    """Puts a row into the audit log that is too old, and counts how many of it are left."""

    def count() -> int:
        with psycopg.connect(server(stack).uri("airflow")) as connection:
            found = connection.execute("SELECT count(*) FROM log WHERE event = %s", [MARK]).fetchone()
        assert found is not None
        return int(found[0])

    with psycopg.connect(server(stack).uri("airflow")) as connection:
        connection.execute("INSERT INTO log (dttm, event) VALUES (now() - interval '100 days', %s)", [MARK])
    return count


def test_old_rows_are_told_then_deleted(make_run: Make, old_rows: Callable[[], int]) -> None:
    told = make_run("maintenance")
    assert told.good, told.text
    assert old_rows() == 1
    done = make_run("maintenance", dry_run=False)
    assert done.good, done.text
    assert "room_left success" in done.text
    assert old_rows() == 0
