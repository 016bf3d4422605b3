"""Determines the days of a source that a run covers."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MAX_DAYS = 400
MIDNIGHT = dt.time()


def days_of(
    start: dt.datetime | None, end: dt.datetime | None, run_after: dt.datetime, zone: ZoneInfo
) -> list[dt.date]:
    """Return the days, in the time zone ``zone``, that ended after ``start`` and not after ``end``.

    Each day thus belongs to exactly one of consecutive intervals, whatever the schedule, including days of 23 or 25
    hours at a change of daylight saving time. A run without an interval covers the last day that ended before
    ``run_after``.

    Raises:
        ValueError: if the interval is longer than 400 days.
    """
    if start is None or end is None:
        return [run_after.astimezone(zone).date() - dt.timedelta(days=1)]
    if end - start > dt.timedelta(days=MAX_DAYS):
        raise ValueError(f"the data interval {start} to {end} is longer than {MAX_DAYS} days; use shorter ones")
    day = start.astimezone(zone).date() - dt.timedelta(days=1)
    days = []
    while (day_end := _end_of(day, zone)) <= end:
        if day_end > start:
            days.append(day)
        day += dt.timedelta(days=1)
    return days


def _end_of(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day + dt.timedelta(days=1), MIDNIGHT, zone).astimezone(dt.UTC)
