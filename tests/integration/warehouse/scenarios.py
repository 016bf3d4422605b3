"""Failure scenarios, as functions: each runs one and returns the published rows afterwards.

The tests run them on the code as it is, and on copies with one guard removed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Rejected
from include.core.warehouse.errors import LoadError
from include.core.warehouse.schema import create_table
from tests.integration.warehouse.cases import CITIES, DAY, FIRST, SECOND, WEATHER, count, observations, published

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.core.warehouse.connect import Session
    from include.core.warehouse.loader import LoadResult

    Load = Callable[..., LoadResult]

GATE = 42


@dataclass(frozen=True)
class Outcome:
    """Published temperatures, rows in quarantine, and the class of the error that the last load raised."""

    temperatures: dict[str, float]
    quarantined: int = 0
    error: str | None = None


def repeated(uri: str, load: Load) -> Outcome:
    """The same task instance loads twice: its commit succeeded, but the reply was lost."""
    with connect(uri) as session:
        create_table(session, WEATHER)
        rejected = [Rejected({"city": "London"}, "no temperature")]
        return _last_of(
            session,
            lambda: load(session, WEATHER, partition=DAY, rows=observations("Tokyo"), attempt=FIRST, rejected=rejected),
            lambda: load(
                session, WEATHER, partition=DAY, rows=observations("Tokyo"), attempt=SECOND, rejected=rejected
            ),
        )


def outlived(uri: str, load: Load) -> Outcome:
    """A first try that was abandoned continues after the second has loaded."""
    with connect(uri) as session:
        create_table(session, WEATHER)
        return _last_of(
            session,
            lambda: load(session, WEATHER, partition=DAY, rows=observations(temperature=2), attempt=SECOND),
            lambda: load(session, WEATHER, partition=DAY, rows=observations(temperature=1), attempt=FIRST),
        )


def poisoned(uri: str, load: Load) -> Outcome:
    """A good load, then one with an impossible temperature."""
    with connect(uri) as session:
        create_table(session, WEATHER)
        return _last_of(
            session,
            lambda: load(session, WEATHER, partition=DAY, rows=observations(temperature=5), attempt=FIRST),
            lambda: load(session, WEATHER, partition=DAY, rows=observations(temperature=-400), attempt=SECOND),
        )


def withdrawn(uri: str, load: Load) -> Outcome:
    """The source no longer has a row that an earlier complete load published."""
    with connect(uri) as session:
        create_table(session, WEATHER)
        return _last_of(
            session,
            lambda: load(session, WEATHER, partition=DAY, rows=observations("London", "Paris"), attempt=FIRST),
            lambda: load(session, WEATHER, partition=DAY, rows=observations("London"), attempt=SECOND),
        )


def incomplete(uri: str, load: Load) -> Outcome:
    """A complete load, then one without two of the expected cities."""
    with connect(uri) as session:
        create_table(session, WEATHER)
        return _last_of(
            session,
            lambda: load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected=CITIES),
            lambda: load(session, WEATHER, partition=DAY, rows=observations("Tokyo"), attempt=SECOND, expected=CITIES),
        )


def overlapped(uri: str, load: Load) -> Outcome:
    """Two runs load different rows for one day, both waiting before their commit if nothing prevents it."""
    with connect(uri) as session:
        create_table(session, WEATHER)
        session.execute(
            sql.SQL(
                "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN PERFORM pg_advisory_xact_lock_shared({}); RETURN NULL; END $$;"
                "CREATE CONSTRAINT TRIGGER wait_at_gate AFTER INSERT ON weather_data DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION wait_at_gate()"
            ).format(GATE)
        )
        session.execute("SELECT pg_advisory_lock(%s)", [GATE])

        def run(city: str) -> None:
            with connect(uri) as own:
                load(own, WEATHER, partition=DAY, rows=observations(city), attempt=replace(FIRST, run_id=city))

        runs = [threading.Thread(target=run, args=[city]) for city in ("London", "Tokyo")]
        for number, thread in enumerate(runs, start=1):
            thread.start()
            wait_until(session, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", number)
        session.execute("SELECT pg_advisory_unlock(%s)", [GATE])
        for thread in runs:
            thread.join(timeout=30)
        return Outcome(published(session))


def _last_of(session: Session, *loads: Callable[[], LoadResult]) -> Outcome:
    """Run ``loads``; all but the last must succeed."""
    *earlier, last = loads
    for run_load in earlier:
        run_load()
    error = None
    try:
        last()
    except (LoadError, psycopg.Error) as raised:
        error = type(raised).__name__
    return Outcome(published(session), count(session, "quarantine"), error)


def wait_until(session: Session, query: str, number: int, seconds: float = 20) -> None:
    """Poll ``query`` until it counts ``number``."""
    deadline = time.monotonic() + seconds
    while session.execute(query).fetchone() != (number,):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{query} didn't reach {number} in {seconds} s")
        time.sleep(0.01)
