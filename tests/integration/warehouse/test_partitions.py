"""Which partitions are missing between those that are loaded."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from include.core.warehouse.calendar import Calendar
from include.core.warehouse.partitions import gaps, missing
from tests.integration.warehouse.cases import WEATHER
from tests.integration.warehouse.test_history import MONTHS, NOW, TOTALS, write_load

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

DAILY = replace(WEATHER, freshness=timedelta(days=1))
MONTHLY = replace(MONTHS, freshness=timedelta(days=40), calendar=Calendar("month"))


def test_a_partition_is_missing_if_its_last_load_is_incomplete(session: Session) -> None:
    days = [date(2024, 6, day) for day in (1, 2, 3, 4)]
    write_load(session, "weather_data", "2024-06-01", 9, complete=False)
    write_load(session, "weather_data", "2024-06-01", 8)
    write_load(session, "weather_data", "2024-06-03", 7)
    write_load(session, "weather_data", "2024-06-03", 6, complete=False)
    result = missing(session, "weather_data", days)
    assert (result.absent, result.incomplete) == ((days[1], days[3]), (days[2],))
    assert str(result) == "weather_data: 2 not loaded (2024-06-02, 2024-06-04), 1 incomplete (2024-06-03)"
    assert result.lacking == [str(result)]
    assert missing(session, "weather_data", days[:1]).lacking == []


def test_gaps_lie_between_the_first_and_the_newest_complete_partition(session: Session) -> None:
    for day in ("2024-05-26", "2024-05-30", "2024-06-01"):
        write_load(session, "weather_data", day, 5)
    write_load(session, "weather_data", "2024-06-03", 4, complete=False)
    for month in ("2024-01-01", "2024-03-01"):
        write_load(session, "months", month, 3)
    write_load(session, "totals", "all", 2)
    closed = replace(DAILY, calendar=Calendar(no_data_on=("mon", "05-31")))
    weather, months = list(gaps(session, [closed, MONTHLY, TOTALS, WEATHER], NOW))[::-1]
    assert weather.partitions == (date(2024, 5, 28), date(2024, 5, 29))
    assert weather.dag_id == "dag of weather_data"
    assert months.partitions == (date(2024, 2, 1),)
    for day in ("2024-05-28", "2024-05-29"):
        write_load(session, "weather_data", day, 1)
    assert [bool(gap) for gap in gaps(session, [closed], NOW)] == [False]


def test_what_is_old_or_sample_data_is_not_reported(session: Session) -> None:
    write_load(session, "weather_data", "2012-01-01", 5)
    write_load(session, "weather_data", "2024-06-02", 5)
    [gap] = gaps(session, [DAILY], NOW)
    assert gap.partitions[0] == NOW.date() - timedelta(days=35)
    session.execute("UPDATE load_log SET replayed_from = '2012-01-01'")
    assert not list(gaps(session, [DAILY], NOW))


def test_an_undeclared_limit_means_that_nobody_watches(session: Session) -> None:
    for day in ("2024-05-26", "2024-06-01"):
        write_load(session, "weather_data", day, 5)
    assert not list(gaps(session, [WEATHER], NOW))
