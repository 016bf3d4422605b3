"""Business days of many years, and the runs scheduled on them."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pendulum
import pytest
import time_machine
from airflow.timetables.base import DataInterval, TimeRestriction

from include.domains.finance.calendar import business_day, is_business_day
from include.domains.finance.close import month_of
from include.domains.finance.datasets import REVENUE
from spellbook.timetables.month_end import MonthEndTimetable

UTC = dt.UTC


@pytest.mark.parametrize(
    ("year", "month", "number", "day"),
    [
        (2011, 1, 1, "2011-01-03"),
        (2012, 1, 1, "2012-01-02"),
        (2024, 4, 1, "2024-04-02"),  # Easter Monday
        (2024, 5, 1, "2024-05-02"),  # Labour Day
        (2018, 4, 1, "2018-04-03"),  # Sunday, Easter Monday
        (2023, 1, 2, "2023-01-03"),
        (2022, 1, 1, "2022-01-03"),
    ],
)
def test_business_days(year: int, month: int, number: int, day: str) -> None:
    assert business_day(year, month, number).isoformat() == day


def test_every_month_of_fifty_years_has_its_run() -> None:
    timetable = MonthEndTimetable(business_day=2, hour=6)
    restriction = TimeRestriction(pendulum.datetime(2000, 1, 1), None, True)
    last: DataInterval | None = None
    for count in range(50 * 12):
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        assert info is not None
        assert info.data_interval is not None
        begin, end = info.data_interval
        assert (begin.year, begin.month, begin.day) == (2000 + count // 12, count % 12 + 1, 1)
        assert end == begin.add(months=1)
        run_after = info.run_after
        assert is_business_day(run_after.date())
        assert (
            sum(
                is_business_day(end.date() + dt.timedelta(days=n))
                for n in range((run_after.date() - end.date()).days + 1)
            )
            == 2
        )
        assert run_after.hour == 6
        assert end < run_after < end.add(days=8)
        last = info.data_interval


def test_without_catchup_only_the_newest_month_is_scheduled() -> None:
    restriction = TimeRestriction(pendulum.datetime(2010, 12, 1), None, False)
    timetable = MonthEndTimetable(business_day=2)
    for now, month in (("2024-05-03T06:00:00", 4), ("2024-05-03T05:59:00", 3), ("2024-05-20T00:00:00", 4)):
        with time_machine.travel(dt.datetime.fromisoformat(now).replace(tzinfo=UTC), tick=False):
            info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
            assert info is not None
            assert info.data_interval is not None
            assert info.data_interval.start == pendulum.datetime(2024, month, 1)


def test_the_end_of_a_schedule_and_its_absence() -> None:
    timetable = MonthEndTimetable()
    until = TimeRestriction(pendulum.datetime(2024, 1, 15), pendulum.datetime(2024, 1, 31), True)
    assert timetable.next_dagrun_info(last_automated_data_interval=None, restriction=until) is None
    assert (
        timetable.next_dagrun_info(last_automated_data_interval=None, restriction=TimeRestriction(None, None, True))
        is None
    )


def test_the_timetable_is_restored_from_storage_and_validated() -> None:
    restored = MonthEndTimetable.deserialize(MonthEndTimetable(3, 7).serialize())
    assert (restored.business_day, restored.hour, restored.summary) == (3, 7, "month end + 3 business day(s), 07:00")
    with pytest.raises(ValueError, match="allowed: 1 to 15"):
        MonthEndTimetable(16).validate()
    with pytest.raises(ValueError, match="hour=24; allowed: 0 to 23"):
        MonthEndTimetable(1, 24).validate()


def test_the_month_of_a_run() -> None:
    interval = MonthEndTimetable().infer_manual_data_interval(run_after=pendulum.datetime(2024, 3, 1))
    assert month_of(interval.start, interval.end) == dt.date(2024, 2, 1)
    assert month_of(None, dt.datetime(2024, 1, 1, tzinfo=UTC)) == dt.date(2023, 12, 1)


def test_the_freshness_of_revenue_covers_the_longest_time_between_closes() -> None:
    closes = [business_day(year, month, 2) for year in range(2024, 2124) for month in range(1, 13)]
    longest = max(after - before for before, after in pairwise(closes))
    assert REVENUE.freshness
    assert dt.timedelta(days=1) <= REVENUE.freshness - longest <= dt.timedelta(days=2)
