"""What a server has answered, kept on its own disk until the warehouse has it.

A request writes one local row and goes on: it neither waits for the warehouse nor is lost when the warehouse is away or
the server is killed. A thread moves the rows; one that is written twice counts once, by its id.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from include.core.warehouse.connect import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SQL_FILE = Path(__file__).parent / "sql" / "predictions.sql"
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


def create_tables(uri: str) -> None:
    """Create ``predictions`` and ``outcomes`` where they are missing."""
    with connect(uri) as session, session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended('warehouse schema', 0))")
        session.execute(SQL_FILE.read_bytes())


class Spool:
    """A queue of rows on disk in front of the warehouse.

    Args:
        path: SQLite file; made where it is missing, and taken up where a killed server left it.
        warehouse: returns the warehouse's URI (:func:`include.core.warehouse.connect.conninfo`); called on each try.
    """

    def __init__(self, path: Path, warehouse: Callable[[], str]) -> None:
        self._path = path
        self._warehouse = warehouse
        self._arrived = threading.Event()
        self._ended = threading.Event()
        self.error: str | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE IF NOT EXISTS spool (id INTEGER PRIMARY KEY, kind TEXT, row TEXT)")
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> None:
        """Begin to move rows to the warehouse."""
        self._thread.start()

    def stop(self, seconds: float = 5) -> None:
        """End the thread; rows that are not written yet are on disk and written after the next start."""
        self._ended.set()
        self._arrived.set()
        self._thread.join(seconds)

    def put(self, kind: str, rows: Iterable[dict[str, Any]]) -> None:
        """Keep rows of one kind, ``prediction`` or ``outcome``; on return a killed server doesn't lose them.

        Raises:
            sqlite3.Error: if the disk doesn't take them.
        """
        with self._open() as database:
            database.executemany(
                "INSERT INTO spool (kind, row) VALUES (?, ?)", [(kind, json.dumps(row)) for row in rows]
            )
        self._arrived.set()

    def waiting(self) -> int:
        """Return how many rows the warehouse doesn't have yet."""
        with self._open() as database:
            return int(database.execute("SELECT count(*) FROM spool").fetchone()[0])

    def _open(self) -> _Database:
        return _Database(self._path)

    def _run(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            try:
                created = False
                while not self._ended.is_set():
                    if not created:
                        create_tables(self._warehouse())
                        created = True
                    self._arrived.clear()
                    if not self._move():
                        self._arrived.wait()
                    self.error, pause = None, 0.0
            except (psycopg.Error, OSError, ValueError) as error:
                if self.error is None:
                    log.warning("the warehouse takes no predictions, they wait in %s: %s", self._path, error)
                self.error = f"{type(error).__name__}: {' '.join(str(error).split())}"
                pause = min(LONGEST_PAUSE, max(0.5, pause * 2))

    def _move(self) -> int:
        """Write one batch to the warehouse, then forget it; return how many rows it had."""
        with self._open() as database:
            found = database.execute("SELECT id, kind, row FROM spool ORDER BY id LIMIT ?", (BATCH,)).fetchall()
            if not found:
                return 0
            with connect(self._warehouse()) as session, session.transaction(), session.cursor() as cursor:
                for kind, statement in INSERTS.items():
                    rows = [json.loads(row) for _, of_kind, row in found if of_kind == kind]
                    if rows:
                        cursor.executemany(statement, [_adapted(row) for row in rows])
            database.execute("DELETE FROM spool WHERE id <= ?", (found[-1][0],))
        return len(found)


class _Database:
    """A SQLite connection that commits and closes at the end of its ``with`` statement; one a thread and use."""

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
    """Return the present moment, UTC."""
    return datetime.now(UTC)
