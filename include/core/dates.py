"""The day that a daily run covers, and times in UTC."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def day_of(day: str | None, start: dt.datetime | None, run_after: dt.datetime) -> dt.date:
    """Return the UTC day of a run.

    Args:
        day: the requested day, as ``YYYY-MM-DD``; takes precedence.
        start: start of the run's data interval.
        run_after: when the run was due; without an interval, the day before it is used.
    """
    if day:
        return dt.date.fromisoformat(day)
    return (start or run_after - dt.timedelta(days=1)).astimezone(dt.UTC).date()


def to_utc(
    time: dt.datetime, zone: ZoneInfo, ambiguous: Literal["earlier", "later", "reject"] = "earlier"
) -> dt.datetime:
    """Return ``time`` in UTC.

    Args:
        time: a time with an offset, or a local time.
        zone: the time zone of a local time.
        ambiguous: how to resolve a local time that occurs twice.

    Raises:
        ValueError: if the time doesn't exist, occurs twice and ``ambiguous`` is ``reject``, or is out of range.
    """
    try:
        if time.tzinfo is not None:
            return time.astimezone(dt.UTC)
        earlier, later = (time.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
        if earlier == later:
            return earlier
        if earlier.astimezone(zone).replace(tzinfo=None) != time:
            raise ValueError(f"this time doesn't exist in {zone}: daylight saving time started")
    except OverflowError:
        raise ValueError("must lie between 0001-01-01 and 9999-12-31 in UTC") from None
    if ambiguous == "reject":
        raise ValueError(f"this time occurs twice in {zone}: daylight saving time ended; it needs an offset")
    return earlier if ambiguous == "earlier" else later


def local_day(value: dt.date | None, zone: ZoneInfo) -> dt.date | None:
    """Return the day of a date or of a time in the time zone ``zone``."""
    if not isinstance(value, dt.datetime):
        return value
    try:
        return value.astimezone(zone).date()
    except OverflowError:  # within a day of the first or the last time that Python knows
        return value.date()


def utc_range(day: dt.date, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """Return the first time of a day in the time zone ``zone``, and that of the next day, both in UTC."""
    first, following = (dt.datetime.combine(day + dt.timedelta(days=days), dt.time(), zone) for days in (0, 1))
    return first.astimezone(dt.UTC), following.astimezone(dt.UTC)
