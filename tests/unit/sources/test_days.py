"""Each day belongs to exactly one of consecutive data intervals, even across daylight saving time."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from include.core.sources.days import days_of
from include.core.sources.files import load_source
from include.domains.sources import FOLDER

UTC = dt.UTC
ZONES = ["UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo"]
CRONS = ["0 0 * * *", "0 6 * * *", "30 23 * * *", "0 * * * *", "0 12 * * 1", "0 0 1 * *", "*/7 3 * * 2"]


@settings(max_examples=60, deadline=None)
@given(
    cron=st.sampled_from(CRONS),
    zone=st.sampled_from(ZONES),
    first=st.dates(dt.date(2000, 1, 1), dt.date(2030, 1, 1)),
    count=st.integers(1, 12),
)
def test_intervals_cover_each_day_once(cron: str, zone: str, first: dt.date, count: int) -> None:
    fires = croniter(cron, dt.datetime.combine(first, dt.time(1, 2), UTC), ret_type=dt.datetime)
    ends = [fires.get_next() for _ in range(count + 1)]
    days = [day for start, end in pairwise(ends) for day in days_of(start, end, end, ZoneInfo(zone))]
    assert (
        days == days_of(ends[0], ends[-1], ends[-1], ZoneInfo(zone)) if ends[-1] - ends[0] < dt.timedelta(400) else days
    )
    assert days == sorted(set(days))


@pytest.mark.parametrize("file", ["sales.yaml", "marketing.yaml", "support.yaml"])
def test_a_scheduled_day_of_a_shipped_source_is_the_day_of_its_interval(file: str) -> None:
    source = load_source(FOLDER / file)
    start = croniter(source.schedule, dt.datetime(2010, 1, 1, tzinfo=UTC), ret_type=dt.datetime).get_next()
    for _ in range(365 * 16):
        end = start + dt.timedelta(days=1)
        assert days_of(start, end, end, source.zone) == [start.date()]
        start = end


def test_a_run_without_interval_processes_the_last_complete_day() -> None:
    zone = ZoneInfo("America/New_York")
    assert days_of(None, None, dt.datetime(2025, 3, 10, 3, 59, tzinfo=UTC), zone) == [dt.date(2025, 3, 8)]
    assert days_of(None, None, dt.datetime(2025, 3, 10, 4, 0, tzinfo=UTC), zone) == [dt.date(2025, 3, 9)]


def test_a_day_of_23_hours_is_over_an_hour_earlier() -> None:
    zone = ZoneInfo("America/New_York")
    before, after = (dt.datetime(2025, 3, 10, hour, tzinfo=UTC) for hour in (3, 4))
    assert days_of(before, after, after, zone) == [dt.date(2025, 3, 9)]


def test_an_endless_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 400 days"):
        days_of(
            dt.datetime(2020, 1, 1, tzinfo=UTC),
            dt.datetime(2025, 1, 1, tzinfo=UTC),
            dt.datetime.now(UTC),
            ZoneInfo("UTC"),
        )
