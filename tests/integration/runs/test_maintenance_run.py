"""`maintenance` on Airflow's own database and storage: it reports first, and deletes only on request."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from devstack.stack import Stack
from include.settings import MODEL_FILES
from tests.integration.runs.conftest import Make, server

MARK = "written a hundred days ago"
HUNDRED_DAYS = 100 * 86_400


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


@pytest.fixture
def old_files(stack: Stack) -> list[Path]:
    """An expired file in each folder of models."""
    files = []
    for kind in MODEL_FILES:
        file = stack.state.root / "storage" / kind.folder / kind.runs.replace("*", "old") / "file"
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (time.time() - HUNDRED_DAYS,) * 2)
        files.append(file)
    return files


def test_old_rows_and_files_are_reported_then_deleted(
    make_run: Make, old_rows: Callable[[], int], old_files: list[Path]
) -> None:
    dry_run = make_run("maintenance")
    assert dry_run.good, dry_run.text
    assert old_rows() == 1
    assert all(file.exists() for file in old_files)
    result = make_run("maintenance", dry_run=False)
    assert result.good, result.text
    assert "room_left success" in result.text
    assert old_rows() == 0
    assert not any(file.exists() for file in old_files)
