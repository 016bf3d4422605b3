"""The partitions that a dataset must have."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.core.warehouse.calendar import Calendar, in_ranges
from include.datasets import DATASETS, calendar_of

FIRST = date(2010, 12, 23)  # a Thursday


def days(*numbers: int) -> list[date]:
    return [date(2010, 12, number) for number in numbers]


def test_exceptions_are_weekdays_and_days_of_each_year() -> None:
    assert Calendar().expected(FIRST, date(2010, 12, 28)) == days(23, 24, 25, 26, 27, 28)
    assert Calendar(no_data_on=("sat", "12-27")).expected(FIRST, date(2010, 12, 28)) == days(23, 24, 26, 28)
    assert Calendar("month").expected(FIRST, date(2011, 2, 1)) == [date(2011, 1, 1), date(2011, 2, 1)]
    assert Calendar().expected(FIRST, FIRST - timedelta(days=1)) == []


@pytest.mark.parametrize("exception", ["saturday", "13-01", "12-32", "2024-12-25", ""])
def test_another_exception_is_refused(exception: str) -> None:
    with pytest.raises(ValueError, match=f"no_data_on: '{exception}'; allowed: 'sat' .a weekday. or '12-25'"):
        Calendar(no_data_on=(exception,))


def test_days_are_shown_as_ranges() -> None:
    assert in_ranges(days(5, 1, 2, 3)) == "2010-12-01 to 2010-12-03, 2010-12-05"
    every_other = [FIRST + 2 * timedelta(days=number) for number in range(25)]
    assert in_ranges(every_other).endswith("2011-01-30 and 5 more ranges")


def test_the_calendar_of_a_dataset_that_is_not_declared_has_every_day() -> None:
    assert calendar_of("unknown") == Calendar()
    for dataset in DATASETS:
        assert calendar_of(dataset.name) == dataset.calendar
