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

from include.core.warehouse.connect import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from include.core.warehouse.connect import Session

BATCH = 2000
GATHERING = 0.5  # seconds for which rows gather, so that a busy server doesn't connect to the warehouse for each
LONGEST_PAUSE = 30.0

INSERTS = {
    "prediction": (
        "INSERT INTO predictions"
        " (prediction_id, served_at, model_name, model_version, purpose, inputs, probability, outcome, milliseconds)"
        " SELECT * FROM jsonb_to_recordset(%s::jsonb) AS row (prediction_id uuid, served_at timestamptz,"
        " model_name text, model_version integer, purpose text, inputs jsonb, probability double precision,"
        " outcome boolean, milliseconds double precision) ON CONFLICT (prediction_id) DO NOTHING"
    ),
    "challenger": (
        "INSERT INTO predictions (role, prediction_id, champion_id, served_at, model_name, model_version, purpose,"
        " probability, outcome, milliseconds)"
        " SELECT 'challenger', row.* FROM jsonb_to_recordset(%s::jsonb) AS row (prediction_id uuid, champion_id uuid,"
        " served_at timestamptz, model_name text, model_version integer, purpose text, probability double precision,"
        " outcome boolean, milliseconds double precision) ON CONFLICT (prediction_id) DO NOTHING"
    ),
    # The last outcome of a prediction counts; one statement may not replace a row twice.
    "outcome": (
        "INSERT INTO outcomes (prediction_id, outcome) SELECT DISTINCT ON (prediction_id) prediction_id, outcome"
        " FROM ROWS FROM (jsonb_to_recordset(%s::jsonb) AS (prediction_id uuid, outcome boolean)) WITH ORDINALITY"
        " ORDER BY prediction_id, ordinality DESC"
        " ON CONFLICT (prediction_id) DO UPDATE SET outcome = excluded.outcome, arrived_at = excluded.arrived_at"
    ),
}
"""Statements that insert rows of a kind, given as a JSON array."""

log = logging.getLogger(__name__)


class Spool:
    """A queue of rows on disk in front of the warehouse.

    Args:
        path: SQLite file; created if it is missing.
        warehouse: returns the warehouse's URI (:func:`include.core.warehouse.connect.conninfo`); called on each try.
        durable: whether rows survive a crash of the machine, not only of the server.
    """

    def __init__(self, path: Path, warehouse: Callable[[], str], *, durable: bool = True) -> None:
        self._path = path
        self._warehouse = warehouse
        self._arrived = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.error: str | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=10, check_same_thread=False)  # only used under the lock
        with self._lock, self._database as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")  # FULL: a commit is on the disk
            database.execute("CREATE TABLE IF NOT EXISTS spool (id INTEGER PRIMARY KEY, kind TEXT, row TEXT)")
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    def start(self) -> None:
        """Start to move rows to the warehouse."""
        self._thread.start()

    def stop(self, seconds: float = 5) -> None:
        """Stop the thread; remaining rows are written after the next start."""
        self._stopping.set()
        self._arrived.set()
        if self._thread.ident:
            self._thread.join(seconds)
        with self._lock:
            self._database.close()

    def put(self, kind: str, rows: Iterable[dict[str, Any]]) -> None:
        """Store rows of a kind of :data:`INSERTS` durably, in one transaction.

        Raises:
            sqlite3.Error: if they can't be written to disk.
        """
        texts = [(kind, json.dumps(row)) for row in rows]
        with self._lock, self._database as database:
            database.executemany("INSERT INTO spool (kind, row) VALUES (?, ?)", texts)
        self._arrived.set()

    def waiting(self) -> int:
        """Return how many rows aren't in the warehouse yet."""
        with self._lock:
            return int(self._database.execute("SELECT count(*) FROM spool").fetchone()[0])

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                self._move()
                self.error, pause = None, GATHERING
                self._arrived.wait()
            except (psycopg.Error, OSError, ValueError) as error:
                if self.error is None:
                    log.warning("can't write predictions to the warehouse, they are kept in %s: %s", self._path, error)
                self.error = f"{type(error).__name__}: {' '.join(str(error).split())}"
                pause = min(LONGEST_PAUSE, max(0.5, pause * 2))

    def _move(self) -> None:
        """Move all rows to the warehouse, in batches."""
        self._arrived.clear()
        batch = self._oldest()
        if not batch:
            return
        with connect(self._warehouse()) as session:
            while batch and not self._stopping.is_set():
                _insert(session, batch)
                with self._lock, self._database as database:
                    database.execute("DELETE FROM spool WHERE id <= ?", (batch[-1][0],))
                batch = self._oldest()

    def _oldest(self) -> list[tuple[int, str, str]]:
        with self._lock:
            query = "SELECT id, kind, row FROM spool ORDER BY id LIMIT ?"
            return self._database.execute(query, (BATCH,)).fetchall()


def _insert(session: Session, batch: list[tuple[int, str, str]]) -> None:
    with session.transaction():
        for kind, statement in INSERTS.items():
            rows = [row for _, row_kind, row in batch if row_kind == kind]
            if rows:
                session.execute(statement, [f"[{','.join(rows)}]"])


def now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)
