"""Which of a source's days a run is about."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MOST = 400
MIDNIGHT = dt.time()


def days_of(
    start: dt.datetime | None, end: dt.datetime | None, run_after: dt.datetime, zone: ZoneInfo
) -> list[dt.date]:
    """Return the days, by the clocks of ``zone``, that came to their end after ``start`` and not after ``end``.

    So each day belongs to exactly one of the intervals that follow each other, whatever the schedule and however long
    the day is: 23 or 25 hours, when summer time begins or ends. A run without an interval is about the last day that
    was over at ``run_after``.

    Raises:
        ValueError: if the interval holds more than 400 days.
    """
    if start is None or end is None:
        return [run_after.astimezone(zone).date() - dt.timedelta(days=1)]
    if end - start > dt.timedelta(days=MOST):
        raise ValueError(f"the data interval {start} to {end} is longer than {MOST} days; run shorter ones")
    day = start.astimezone(zone).date() - dt.timedelta(days=1)
    found = []
    while (over := _end_of(day, zone)) <= end:
        if over > start:
            found.append(day)
        day += dt.timedelta(days=1)
    return found


def _end_of(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day + dt.timedelta(days=1), MIDNIGHT, zone).astimezone(dt.UTC)
