"""The day that a run is about."""

from __future__ import annotations

import datetime as dt

import pytest

from include.core.dates import day_of

DAY = dt.date(2024, 6, 1)


@pytest.mark.parametrize(
    ("start", "run_after", "day"),
    [
        (dt.datetime(2024, 6, 1, tzinfo=dt.UTC), dt.datetime(2024, 6, 2, tzinfo=dt.UTC), DAY),
        (
            dt.datetime(2024, 6, 2, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            dt.datetime(2024, 6, 9, tzinfo=dt.UTC),
            DAY,
        ),
        (None, dt.datetime(2024, 6, 2, 0, 0, 1, tzinfo=dt.UTC), DAY),
        (None, dt.datetime(2024, 6, 3, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))), DAY),
    ],
)
def test_the_day_of_a_run(start: dt.datetime | None, run_after: dt.datetime, day: dt.date) -> None:
    assert day_of(None, start, run_after) == day


def test_the_requested_day() -> None:
    assert day_of("2024-06-01", None, dt.datetime(2024, 6, 9, tzinfo=dt.UTC)) == DAY
