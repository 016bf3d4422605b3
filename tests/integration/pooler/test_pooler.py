"""Behind a pooler, nothing depends on the state of a session, and nothing is left in one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from upath import UPath

from include.core.cache import Cache, Cached, Outcome
from include.core.http.rate_limit import RateLimiter, RateLimitError
from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load
from include.core.warehouse.migrations import LATEST, migrate
from include.core.warehouse.schema import create_table
from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.message import Message
from include.ops.alerts.outbox import Outbox
from include.ops.alerts.routing import Route, Routing, Silences
from tests.integration.warehouse.cases import DAY, FIRST, WEATHER, count, observations, published

NOW = datetime(2024, 6, 2, 6, 0, tzinfo=UTC)


class KilledError(BaseException):
    """The process is killed."""


@pytest.fixture(autouse=True)
def _nothing_is_left(pooled: str, warehouse: str) -> Iterator[None]:
    """No lock outlives its test."""
    yield
    del pooled
    with psycopg.connect(warehouse) as direct:
        locks = direct.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
    assert locks == (0,)


def at_once(action: Callable[[int], object], number: int = 4) -> list[object]:
    """Run the action in threads that start together."""
    ready = threading.Barrier(number)

    def run(index: int) -> object:
        ready.wait()
        return action(index)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(run, range(number)))


def test_loads_of_a_partition_do_not_mix(pooled: str) -> None:
    with connect(pooled) as session:
        create_table(session, WEATHER)

    def load_one(index: int) -> None:
        with connect(pooled) as session:
            attempt = replace(FIRST, run_id=f"run {index}")
            rows = observations(temperature=20.0 + index)
            load(session, WEATHER, partition=DAY, rows=rows, attempt=attempt)

    at_once(load_one)
    with connect(pooled) as session:
        temperatures = published(session)
        assert len(temperatures) == 3
        assert len(set(temperatures.values())) == 1
        assert count(session, "load_log") == 4


def test_a_session_has_its_settings_in_each_transaction(pooled: str) -> None:
    settings = (
        "SELECT current_setting('statement_timeout'), current_setting('TimeZone'), current_setting('search_path')"
    )

    def read(index: int) -> None:
        with connect(pooled, statement_timeout=index + 1) as session:
            for _ in range(10):
                assert session.execute(settings).fetchone() == (f"{index + 1}s", "UTC", "public")

    at_once(read)


def test_the_limit_of_an_upstream_holds_for_all_workers(pooled: str) -> None:
    limiter = RateLimiter(pooled, "api", calls=5, seconds=600)

    def call(_: int) -> bool:
        try:
            limiter.acquire(timeout=0)
        except RateLimitError:
            return False
        return True

    assert at_once(call, 8).count(True) == 5


@pytest.fixture
def cache(pooled: str, tmp_path: Path) -> Cache:
    return Cache("report", pooled, UPath(tmp_path))


def test_an_entry_of_the_cache_is_computed_once(cache: Cache) -> None:
    computing, go_on, calls = threading.Event(), threading.Event(), []

    def compute() -> bytes:
        calls.append(1)
        computing.set()
        assert go_on.wait(600)
        return b"fresh"

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(cache.get, "key", compute)
        assert computing.wait(600)
        others = [threads.submit(cache.get, "key", compute) for _ in range(3)]
        wait_for_locks(cache.uri, 3, others)
        go_on.set()
        assert [first.result().outcome, *(other.result().outcome for other in others)] == [
            Outcome.MISS,
            *[Outcome.HIT] * 3,
        ]
    assert len(calls) == 1


def wait_for_locks(uri: str, number: int, waiting: list[Future[Cached]]) -> None:
    """Wait until so many sessions wait for a lock; fail if one of the callers is done, which is the fault."""
    with connect(uri) as session:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while session.execute(query).fetchone() != (number,):
            assert not any(each.done() for each in waiting), "a caller didn't wait"
            time.sleep(0.05)


def test_a_worker_that_dies_while_it_computes_leaves_no_lock(cache: Cache) -> None:
    def die() -> bytes:
        raise KilledError

    with pytest.raises(KilledError):
        cache.get("key", die)
    assert cache.get("key", lambda: b"fresh").outcome is Outcome.MISS


class Sent(list[str]):
    """Delivers messages by keeping their summaries."""

    def __call__(self, route: Route, message: Message) -> None:
        del route
        self.append(message.summary)


class Killed(Outbox):
    """A drain that dies between two transactions."""

    def _channels(self, now: datetime) -> list[tuple[object, ...]]:
        del now
        self.session.close()
        raise KilledError


def succeeded(number: int) -> Alert:
    return Alert(Kind.SUCCEEDED, dag_id=f"spell_{number}", run_id="r")


def test_drains_at_once_send_each_message_once_in_order(pooled: str) -> None:
    sent = Sent()
    with connect(pooled) as session:
        outbox = Outbox(session, Routing.load(), Silences(), sent)
        for number in range(8):
            outbox.put(succeeded(number), NOW)

    def drain(_: int) -> None:
        with connect(pooled) as session:
            replace(outbox, session=session).drain(NOW)

    at_once(drain)
    with connect(pooled) as session:
        replace(outbox, session=session).drain(NOW)
    assert sent == [f"Succeeded: spell_{number}." for number in range(8)]


def test_a_drain_that_was_killed_does_not_stop_the_next(pooled: str) -> None:
    sent = Sent()
    with connect(pooled) as session:
        Outbox(session, Routing.load(), Silences(), sent).put(succeeded(1), NOW)
    with pytest.raises((KilledError, psycopg.OperationalError)), connect(pooled) as session:
        Killed(session, Routing.load(), Silences(), sent).drain(NOW)
    with connect(pooled) as other, other.transaction():  # keeps the connection that the killed drain had
        other.execute("SELECT 1")
        with connect(pooled) as session:
            Outbox(session, Routing.load(), Silences(), sent).drain(NOW)
    assert sent == ["Succeeded: spell_1."]


def test_the_warehouse_is_migrated(pooled: str) -> None:
    assert migrate(pooled) == LATEST
