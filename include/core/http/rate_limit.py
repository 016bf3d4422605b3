"""Rate limit of an upstream, shared by every worker: the calls are booked in PostgreSQL, by its clock.

Each caller books the first free slot, at most ``calls`` of which lie in any window, and waits for it. That serves
callers in the order they came, without polling, and a worker that dies wastes no more than its own slot.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from include.core.warehouse.connect import Session, connect
from include.core.warehouse.schema import run_file


class RateLimitError(Exception):
    """No slot comes free before the caller's deadline.

    Attributes:
        wait: seconds until the first free slot.
    """

    def __init__(self, message: str, wait: float) -> None:
        self.wait = wait
        super().__init__(message)


@dataclass(frozen=True)
class RateLimiter:
    """At most ``calls`` calls in any window of ``seconds``, over all workers that use the same database and name.

    Attributes:
        uri: database, see :func:`include.core.warehouse.connect.conninfo`.
        name: the upstream; all who share the name must state the same limit.
        calls: calls allowed in one window.
        seconds: length of the window.
        slack: seconds that a call may take from its slot to the upstream. The window is kept longer by as much, since
            calls on their way don't all take the same time; a slot that is missed by more is booked anew.
    """

    uri: str
    name: str
    calls: int = 60
    seconds: float = 60
    slack: float = 1

    def __post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0 or self.slack <= 0:
            raise ValueError(f"rate limit {self.name!r}: calls, seconds and slack must be positive, not {self}")

    def acquire(self, timeout: float = 60) -> float:
        """Wait until one call may be made, and return the seconds waited.

        Raises:
            RateLimitError: at once, if no slot is free within ``timeout`` seconds.
            psycopg.OperationalError: if the database is away.
        """
        start = time.monotonic()
        while True:
            slot, wait = self._book(max(timeout - (time.monotonic() - start), 0))
            if wait <= 0:
                return time.monotonic() - start
            time.sleep(wait)
            if self._still_holds(slot):
                return time.monotonic() - start

    def penalise(self, seconds: float) -> None:
        """Hold back every worker for ``seconds`` from now, as the upstream's ``Retry-After`` asked.

        Raises:
            ValueError: if ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"rate limit {self.name!r}: can't hold back for {seconds} s; give 0 or more")
        with self._session() as session:
            session.execute(
                """
                INSERT INTO rate_limit AS held (upstream, held_until)
                VALUES (%s, clock_timestamp() + make_interval(secs => %s))
                ON CONFLICT (upstream) DO UPDATE SET held_until = greatest(held.held_until, excluded.held_until)
                """,
                [self.name, seconds],
            )

    def _session(self) -> Session:
        session = connect(self.uri)
        if session.execute("SELECT to_regclass('rate_limit')").fetchone() == (None,):
            run_file(session, "rate_limit.sql")
        return session

    def _book(self, within: float) -> tuple[datetime, float]:
        """Book the first free slot; return it and the seconds until then."""
        with self._session() as session, session.transaction():
            session.execute("INSERT INTO rate_limit (upstream) VALUES (%s) ON CONFLICT DO NOTHING", [self.name])
            session.execute("SELECT FROM rate_limit WHERE upstream = %s FOR UPDATE", [self.name])
            # A statement of its own, so that the clock is read after the wait for the lock.
            found = session.execute(
                """
                WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
                SELECT slot, extract(epoch FROM slot - now)
                FROM clock, rate_limit, greatest(
                    now, held_until, slots[cardinality(slots) + 1 - %(calls)s] + make_interval(secs => %(window)s)
                ) AS slot
                WHERE upstream = %(name)s
                """,
                {"name": self.name, "calls": self.calls, "window": self.seconds + self.slack},
            ).fetchone()
            if found is None:
                raise LookupError(f"rate limit {self.name!r}: its row was deleted while in use; try again")
            slot, wait = found
            if not isinstance(slot, datetime):
                raise TypeError(f"rate limit {self.name!r}: slot is {slot!r}, not a time")
            wait = float(str(wait))
            if wait > within:
                raise RateLimitError(
                    f"{self.name}: no call is free within {within:.1f} s, the next one is in {wait:.1f} s"
                    f" ({self.calls} calls per {self.seconds:g} s, shared by all workers). Try again then, or allow a"
                    " longer wait.",
                    wait,
                )
            session.execute(
                "UPDATE rate_limit SET slots = (slots || %(slot)s)[cardinality(slots) + 2 - %(calls)s:]"
                " WHERE upstream = %(name)s",
                {"name": self.name, "calls": self.calls, "slot": slot},
            )
        return slot, wait

    def _still_holds(self, slot: datetime) -> bool:
        """Tell whether ``slot`` wasn't overslept, and nobody has been asked to wait beyond it meanwhile."""
        with self._session() as session:
            return session.execute(
                "SELECT held_until <= %(slot)s AND clock_timestamp() <= %(slot)s + make_interval(secs => %(slack)s)"
                " FROM rate_limit WHERE upstream = %(name)s",
                {"slot": slot, "slack": self.slack, "name": self.name},
            ).fetchone() == (True,)
