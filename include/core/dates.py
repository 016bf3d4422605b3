"""The day that a daily run is about."""

from __future__ import annotations

import datetime as dt


def day_of(day: str | None, start: dt.datetime | None, run_after: dt.datetime) -> dt.date:
    """Return the UTC day of a run.

    Args:
        day: the day that was asked for, as ``YYYY-MM-DD``.
        start: begin of the run's data interval, whose day it is otherwise.
        run_after: when the run was due; without an interval it is the day before.
    """
    if day:
        return dt.date.fromisoformat(day)
    return (start or run_after - dt.timedelta(days=1)).astimezone(dt.UTC).date()
