"""Which recorded day is replayed for a day that was not recorded.

A recorded day stands for itself. Any other day up to today gets another day's recording, with its dates moved there;
the answer then names what was recorded in the header ``X-Replayed-Day``. Days after today aren't there yet.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from include.core.replay import HEADER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from zoneinfo import ZoneInfo


def today() -> date:
    """Return the last day that is there, in UTC."""
    return datetime.now(UTC).date()


def same_date(day: date, recorded: frozenset[date]) -> date | None:
    """Return ``day`` if it was recorded, else its month and day in the newest year that has them; None after today."""
    if day in recorded:
        return day
    if day > today():
        return None
    return _newest(recorded).get((day.month, day.day)) or max(recorded)


def in_turn(day: date, recorded: Collection[date]) -> date | None:
    """Return ``day`` if it was recorded, else one of the recorded days, each in its turn; None after today."""
    if day in recorded:
        return day
    return sorted(recorded)[day.toordinal() % len(recorded)] if day <= today() else None


@lru_cache(maxsize=32)
def _newest(recorded: frozenset[date]) -> dict[tuple[int, int], date]:
    return {(day.month, day.day): day for day in sorted(recorded)}


def moved(time: str, by: timedelta, zone: ZoneInfo) -> str:
    """Return a local time (ISO 8601 to the second, without offset) so many days later.

    The time of day stays, unless no clock in ``zone`` shows it on that day because summer time begins: then it is an
    hour later.
    """
    local = datetime.fromisoformat(time) + by
    shown = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    return shown.isoformat(sep=time[10])


def label(days: Iterable[tuple[date, date]]) -> dict[str, str]:
    """Return the header for pairs of day and recorded day: every recorded day that stands for another, in order."""
    replayed = dict.fromkeys(recorded.isoformat() for day, recorded in days if day != recorded)
    return {HEADER: ", ".join(replayed)} if replayed else {}
