"""Rate limit of an upstream, shared by all workers: calls are booked in PostgreSQL, by its clock.

Each caller books the first free slot, with at most ``calls`` slots in any window, and waits for it. Callers are served
in order, without polling, and a worker that dies wastes only its own slot.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from include.core.http.responses import MAX_RETRY_AFTER
from include.core.warehouse.connect import connect

LIFT = "to lift the block, set held_until of its row in the table rate_limit to '-infinity'"


class RateLimitError(Exception):
    """No slot is free before the caller's deadline.

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
        name: the upstream; limiters with the same name must have the same limit.
        calls: calls allowed in one window.
        seconds: length of the window.
        slack: seconds that a call may take to reach the upstream. The window is extended by it, since latencies vary; a
            slot that is missed by more is booked again.
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
            RateLimitError: immediately, if no slot is free within ``timeout`` seconds.
            psycopg.OperationalError: if the database is unavailable.
        """
        start = time.monotonic()
        while True:
            slot, wait = self._book(max(timeout - (time.monotonic() - start), 0))
            if wait <= 0:
                return time.monotonic() - start
            time.sleep(wait)
            if self._is_valid(slot):
                return time.monotonic() - start

    def penalise(self, seconds: float) -> None:
        """Block the calls of all workers for ``seconds``, from the upstream's ``Retry-After``; at most an hour.

        Raises:
            ValueError: if ``seconds`` is negative.
        """
        if not seconds >= 0:  # nan too
            raise ValueError(f"rate limit {self.name!r}: can't wait for {seconds} s; use 0 or more")
        with connect(self.uri) as session:
            session.execute(
                """
                INSERT INTO rate_limit AS held (upstream, held_until)
                VALUES (%s, clock_timestamp() + make_interval(secs => %s))
                ON CONFLICT (upstream) DO UPDATE SET held_until = greatest(held.held_until, excluded.held_until)
                """,
                [self.name, min(seconds, MAX_RETRY_AFTER)],
            )

    def _book(self, within: float) -> tuple[datetime, float]:
        """Book the first free slot; return it and the seconds until then."""
        with connect(self.uri) as session, session.transaction():
            session.execute("INSERT INTO rate_limit (upstream) VALUES (%s) ON CONFLICT DO NOTHING", [self.name])
            session.execute("SELECT FROM rate_limit WHERE upstream = %s FOR UPDATE", [self.name])
            # A separate statement, so that the clock is read after the wait for the lock.
            row = session.execute(
                """
                WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
                SELECT slot, extract(epoch FROM slot - now), slot = held_until
                FROM clock, rate_limit, greatest(
                    now, held_until, slots[cardinality(slots) + 1 - %(calls)s] + make_interval(secs => %(window)s)
                ) AS slot
                WHERE upstream = %(name)s
                """,
                {"name": self.name, "calls": self.calls, "window": self.seconds + self.slack},
            ).fetchone()
            if row is None:
                raise LookupError(f"rate limit {self.name!r}: its row was deleted while in use; try again")
            slot, wait, blocked = row
            if not isinstance(slot, datetime):
                raise TypeError(f"rate limit {self.name!r}: slot is {slot!r}, not a time")
            wait = float(str(wait))
            if wait > within:
                reason = f"{self.calls} calls per {self.seconds:g} s, shared by all workers"
                if blocked:
                    reason = f"its Retry-After blocks all workers; {LIFT}"
                raise RateLimitError(
                    f"{self.name}: no call is free within {within:.1f} s, the next one is in {wait:.1f} s ({reason})."
                    " Retry then, or allow a longer wait.",
                    wait,
                )
            session.execute(
                "UPDATE rate_limit SET slots = (slots || %(slot)s)[cardinality(slots) + 2 - %(calls)s:]"
                " WHERE upstream = %(name)s",
                {"name": self.name, "calls": self.calls, "slot": slot},
            )
        return slot, wait

    def _is_valid(self, slot: datetime) -> bool:
        """Return whether ``slot`` wasn't missed, and the upstream hasn't asked to wait beyond it meanwhile."""
        with connect(self.uri) as session:
            return session.execute(
                "SELECT held_until <= %(slot)s AND clock_timestamp() <= %(slot)s + make_interval(secs => %(slack)s)"
                " FROM rate_limit WHERE upstream = %(name)s",
                {"slot": slot, "slack": self.slack, "name": self.name},
            ).fetchone() == (True,)
