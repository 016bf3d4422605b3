"""Spools a server's predictions to its disk until they are in the warehouse.

A request writes to the local file only: it doesn't wait for the warehouse, and its rows survive an outage of the
warehouse or a kill of the server. A thread moves the rows; the id makes repeated writes idempotent.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from include.core.warehouse.connect import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

BATCH = 500
LONGEST_PAUSE = 30.0

INSERTS = {
    "prediction": (
        "INSERT INTO predictions"
        " (prediction_id, served_at, model_name, model_version, purpose, inputs, probability, outcome)"
        " VALUES (%(prediction_id)s, %(served_at)s, %(model_name)s, %(model_version)s, %(purpose)s, %(inputs)s,"
        " %(probability)s, %(outcome)s) ON CONFLICT (prediction_id) DO NOTHING"
    ),
    "outcome": (
        "INSERT INTO outcomes (prediction_id, outcome) VALUES (%(prediction_id)s, %(outcome)s)"
        " ON CONFLICT (prediction_id) DO UPDATE SET outcome = excluded.outcome, arrived_at = excluded.arrived_at"
    ),
}

log = logging.getLogger(__name__)


class Spool:
    """A queue of rows on disk in front of the warehouse.

    Args:
        path: SQLite file; created if it is missing.
        warehouse: returns the warehouse's URI (:func:`include.core.warehouse.connect.conninfo`); called on each try.
    """

    def __init__(self, path: Path, warehouse: Callable[[], str]) -> None:
        self._path = path
        self._warehouse = warehouse
        self._arrived = threading.Event()
        self._stopping = threading.Event()
        self.error: str | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE IF NOT EXISTS spool (id INTEGER PRIMARY KEY, kind TEXT, row TEXT)")
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> None:
        """Start to move rows to the warehouse."""
        self._thread.start()

    def stop(self, seconds: float = 5) -> None:
        """Stop the thread; remaining rows are written after the next start."""
        self._stopping.set()
        self._arrived.set()
        self._thread.join(seconds)

    def put(self, kind: str, rows: Iterable[dict[str, Any]]) -> None:
        """Store rows of a kind, ``prediction`` or ``outcome``, durably.

        Raises:
            sqlite3.Error: if they can't be written to disk.
        """
        with self._open() as database:
            database.executemany(
                "INSERT INTO spool (kind, row) VALUES (?, ?)", [(kind, json.dumps(row)) for row in rows]
            )
        self._arrived.set()

    def waiting(self) -> int:
        """Return how many rows aren't in the warehouse yet."""
        with self._open() as database:
            return int(database.execute("SELECT count(*) FROM spool").fetchone()[0])

    def _open(self) -> _Database:
        return _Database(self._path)

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                while not self._stopping.is_set():
                    self._arrived.clear()
                    if not self._move():
                        self._arrived.wait()
                    self.error, pause = None, 0.0
            except (psycopg.Error, OSError, ValueError) as error:
                if self.error is None:
                    log.warning("can't write predictions to the warehouse, they are kept in %s: %s", self._path, error)
                self.error = f"{type(error).__name__}: {' '.join(str(error).split())}"
                pause = min(LONGEST_PAUSE, max(0.5, pause * 2))

    def _move(self) -> int:
        """Move one batch to the warehouse; return its number of rows."""
        with self._open() as database:
            batch = database.execute("SELECT id, kind, row FROM spool ORDER BY id LIMIT ?", (BATCH,)).fetchall()
            if not batch:
                return 0
            with connect(self._warehouse()) as session, session.transaction(), session.cursor() as cursor:
                for kind, statement in INSERTS.items():
                    rows = [json.loads(row) for _, row_kind, row in batch if row_kind == kind]
                    if rows:
                        cursor.executemany(statement, [_adapted(row) for row in rows])
            database.execute("DELETE FROM spool WHERE id <= ?", (batch[-1][0],))
        return len(batch)


class _Database:
    """A SQLite connection that commits and closes at the end of its ``with`` statement."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=10)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection.__enter__()

    def __exit__(self, *error: Any) -> None:
        try:
            self._connection.__exit__(*error)
        finally:
            self._connection.close()


def _adapted(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"inputs": Jsonb(row["inputs"])} if "inputs" in row else row


def now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)
