"""Selects the recorded day that is replayed for a day that was not recorded.

A recorded day is served as it is. Any other day up to today gets a recorded day's data with its dates shift_time; the
response then names the recorded day in the header ``X-Replayed-Day``. Days after today are not available.
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
    """Return the last available day, in UTC."""
    return datetime.now(UTC).date()


def same_date(day: date, recorded: frozenset[date]) -> date | None:
    """Return ``day`` if it was recorded, else the newest recorded day with its month and day; None after today."""
    if day in recorded:
        return day
    if day > today():
        return None
    return _newest(recorded).get((day.month, day.day)) or max(recorded)


def in_turn(day: date, recorded: Collection[date]) -> date | None:
    """Return ``day`` if it was recorded, else one of the recorded days, in rotation; None after today."""
    if day in recorded:
        return day
    return sorted(recorded)[day.toordinal() % len(recorded)] if day <= today() else None


@lru_cache(maxsize=32)
def _newest(recorded: frozenset[date]) -> dict[tuple[int, int], date]:
    return {(day.month, day.day): day for day in sorted(recorded)}


def shift_time(time: str, by: timedelta, zone: ZoneInfo) -> str:
    """Return a local time (ISO 8601 to the second, without offset) moved by ``by``.

    The time of day is kept, except where it doesn't exist on that day in ``zone`` because daylight saving time starts:
    then it is an hour later.
    """
    local = datetime.fromisoformat(time) + by
    valid = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    return valid.isoformat(sep=time[10])


def replay_header(days: Iterable[tuple[date, date]]) -> dict[str, str]:
    """Return the header for pairs of day and recorded day: the recorded days that replace another, in order."""
    replayed = dict.fromkeys(recorded.isoformat() for day, recorded in days if day != recorded)
    return {HEADER: ", ".join(replayed)} if replayed else {}
