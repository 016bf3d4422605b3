"""Killed processes, lost replies, and waiting for locks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from include.core.warehouse.connect import connect
from include.core.warehouse.errors import StaleAttemptError
from include.core.warehouse.guards import lock
from include.core.warehouse.loader import load
from tests.integration.warehouse.cases import CITIES, DAY, FIRST, SECOND, WEATHER, count, observations, published

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.warehouse.connect import Session

ROOT = Path(__file__).parents[3]
STUCK_IN_COPY = """
import sys, time
from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load
from tests.integration.warehouse.cases import DAY, FIRST, WEATHER, observation

def rows():
    for number in range(5000):
        yield observation(f"City {number}")
    print("copying", flush=True)
    time.sleep(60)

with connect(sys.argv[1], FIRST) as session:
    load(session, WEATHER, partition=DAY, rows=rows(), attempt=FIRST)
"""


def test_a_process_killed_during_copy_leaves_no_rows(session: Session, warehouse: str) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(temperature=1), attempt=replace(FIRST, run_id="before"))
    with subprocess.Popen(
        [sys.executable, "-c", STUCK_IN_COPY, warehouse], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "copying\n"
        query = "SELECT state, query LIKE 'COPY stage%%' FROM pg_stat_activity WHERE application_name = %s"
        assert session.execute(query, [FIRST.application_name]).fetchall() == [("active", True)]
        os.kill(process.pid, signal.SIGKILL)
    result = load(session, WEATHER, partition=DAY, rows=observations(), attempt=SECOND, expected=CITIES)
    assert (result.changed, result.removed) == (3, 0)
    assert published(session) == dict.fromkeys(CITIES, 20.5)
    assert count(session, "load_log") == 2
    assert session.execute("SELECT run_id, try_number FROM load_fence ORDER BY 1").fetchall() == [
        ("before", 1), (FIRST.run_id, 2),
    ]  # fmt: skip


def test_a_stale_attempt_is_refused_by_name(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(temperature=2), attempt=SECOND)
    with pytest.raises(StaleAttemptError, match=r"try 1 of weather_data_pipeline\.load_weather \(scheduled__"):
        load(session, WEATHER, partition=DAY, rows=observations(temperature=1), attempt=FIRST)
    assert published(session) == dict.fromkeys(CITIES, 2)
    assert count(session, "load_log") == 1


def test_a_run_that_was_deleted_and_recreated_may_load(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(temperature=2), attempt=replace(FIRST, try_number=4))
    recreated = replace(FIRST, run_started=FIRST.run_started.replace(hour=9))
    load(session, WEATHER, partition=DAY, rows=observations(temperature=3), attempt=recreated)
    assert published(session) == dict.fromkeys(CITIES, 3)
    with pytest.raises(StaleAttemptError):
        load(session, WEATHER, partition=DAY, rows=observations(), attempt=replace(FIRST, try_number=5))


def test_other_runs_tasks_and_partitions_have_fences_of_their_own(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(temperature=1), attempt=SECOND)
    for number, attempt in enumerate(
        [replace(FIRST, run_id="manual"), replace(FIRST, task_id="again"), replace(FIRST, map_index=0)], start=2
    ):
        load(session, WEATHER, partition=DAY, rows=observations(temperature=number), attempt=attempt)
        assert published(session) == dict.fromkeys(CITIES, number)


def test_a_rerun_after_a_lost_commit_reply_changes_nothing(session: Session, warehouse: str) -> None:
    rows = observations()
    with (
        CommitReplyLost(warehouse) as uri,
        connect(uri, FIRST) as lost_session,
        pytest.raises(psycopg.OperationalError),
    ):
        load(lost_session, WEATHER, partition=DAY, rows=rows, attempt=FIRST, expected=CITIES)
    assert published(session) == dict.fromkeys(CITIES, 20.5)
    again = load(session, WEATHER, partition=DAY, rows=observations(), attempt=SECOND, expected=CITIES)
    assert (again.changed, again.removed) == (0, 0)
    digests = session.execute("SELECT DISTINCT digest FROM load_log").fetchall()
    assert digests == [(again.digest,)]


def test_waiting_for_another_load_times_out(session: Session, warehouse: str) -> None:
    with connect(warehouse, lock_timeout=0.2) as impatient, session.transaction():
        lock(session, WEATHER.name, DAY.isoformat())
        with pytest.raises(psycopg.errors.LockNotAvailable):
            load(impatient, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
        next_day = DAY.replace(day=2)
        rows = [row | {"date": next_day} for row in observations()]
        assert load(impatient, WEATHER, partition=next_day, rows=rows, attempt=FIRST).loaded == 3


def test_a_session_that_is_idle_in_its_transaction_is_ended(session: Session, warehouse: str) -> None:
    def idle() -> None:
        with connect(warehouse, idle_timeout=0.1) as own, own.transaction():
            lock(own, WEATHER.name, DAY.isoformat())
            time.sleep(0.5)
            own.execute("SELECT 1")

    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        idle()
    assert load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST).loaded == 3


def test_of_concurrent_runs_of_one_day_only_the_last_remains(session: Session, warehouse: str) -> None:
    """Eight loads with different rows; only the last committed one remains."""
    sets = [[f"City {number}", f"Town {number}"] for number in range(8)]
    start = threading.Barrier(len(sets))

    def run(cities: list[str]) -> None:
        with connect(warehouse) as own:
            start.wait(timeout=20)
            load(own, WEATHER, partition=DAY, rows=observations(*cities), attempt=replace(FIRST, run_id=cities[0]))

    threads = [threading.Thread(target=run, args=[cities]) for cities in sets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert count(session, "load_log") == len(sets)
    last = session.execute("SELECT run_id FROM load_log ORDER BY load_id DESC LIMIT 1").fetchone()
    assert last is not None
    assert sorted(published(session)) == next(cities for cities in sets if cities[0] == last[0])


class CommitReplyLost:
    """A TCP proxy to the server that cuts the line between the COMMIT of a load and its reply to the client."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.server = (parts.hostname or "", parts.port or 0)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = uri.replace(f":{self.server[1]}/", f":{self.listener.getsockname()[1]}/")
        self.thread = threading.Thread(target=self._forward)

    def __enter__(self) -> str:
        self.thread.start()
        return self.uri

    def __exit__(self, *_: object) -> None:
        self.thread.join(timeout=20)
        self.listener.close()

    def _forward(self) -> None:
        client, _ = self.listener.accept()
        with client, socket.create_connection(self.server) as server:
            replies = threading.Thread(target=self._copy, args=[server, client])
            replies.start()
            is_logged = False
            for data in self._received(client):
                is_logged = is_logged or b"INSERT INTO load_log" in data
                if is_logged and b"COMMIT\0" in data:
                    client.shutdown(socket.SHUT_WR)
                    server.sendall(data)
                    break
                server.sendall(data)
            # The server has committed once it has read the end of our stream.
            server.shutdown(socket.SHUT_WR)
            replies.join(timeout=20)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        for data in CommitReplyLost._received(source):
            try:
                target.sendall(data)
            except OSError:
                continue

    @staticmethod
    def _received(source: socket.socket) -> Iterator[bytes]:
        while data := source.recv(65536):
            yield data
