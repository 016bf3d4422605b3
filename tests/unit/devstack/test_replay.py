"""What is replayed for a day that was not recorded: which recorded day, and how its rows are moved there."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from devstack.upstreams import replay
from devstack.upstreams.apis.sources import (
    FREE_BLOCKS,
    MARKETING,
    RECORDED_INVOICES,
    SALES,
    SOURCES,
    SUPPORT,
    Source,
    invoice_no,
)
from devstack.upstreams.stations import recorded
from include.core.replay import HEADER
from include.core.sources.files import load_source
from include.core.sources.rows import split_rows
from include.domains.sources import FOLDER

CONTRACTS = {
    "sales": load_source(FOLDER / "sales.yaml"),
    "marketing": load_source(FOLDER / "marketing.yaml"),
    "support": load_source(FOLDER / "support.yaml"),
}
SINCE = date(2025, 3, 10)
DAYS = [SINCE + timedelta(days=number) for number in range(400)]
LONDON = frozenset(recorded()["London"])
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
each_case = pytest.mark.parametrize(
    ("source", "days"),
    [(SALES, DAYS[-5:]), (MARKETING, DAYS[-22:]), (SUPPORT, DAYS[-73:])],
    ids=["sales", "marketing", "support"],
)


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Today is the last of the days."""
    monkeypatch.setattr(replay, "today", lambda: DAYS[-1])


@each_source
def test_a_recorded_day_is_as_it_was_recorded(source: Source) -> None:
    for day, rows in source.load().items():
        assert source.recorded_day(day) == day
        assert source.rows(day) == rows
        assert replay.label([(day, day)]) == {}


@each_case
def test_every_other_day_has_the_rows_of_a_recorded_one_moved_by_whole_days(source: Source, days: list[date]) -> None:
    for day in days:
        origin = source.recorded_day(day)
        assert origin
        assert origin != day
        for row, old in zip(source.rows(day), source.load()[origin], strict=True):
            for name in source.times:
                assert bool(row[name]) == bool(old[name])
                if old[name]:
                    before, after = (datetime.fromisoformat(str(each[name])) for each in (old, row))
                    wanted = before + (day - origin)
                    assert after == wanted or (after == wanted + timedelta(hours=1) and skipped(wanted, source.zone))
            same = set(row) - set(source.times) - set(source.identifiers)
            assert all(row[name] == old[name] for name in same)


def skipped(local: datetime, zone: ZoneInfo) -> bool:
    """Tell whether no clock in ``zone`` showed that time."""
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local


@each_source
def test_every_recorded_day_gets_its_turn(source: Source) -> None:
    turns = [source.recorded_day(day) for day in DAYS[-len(source.load()) :]]
    assert sorted(turn for turn in turns if turn) == sorted(source.load())


@each_case
def test_every_other_day_keeps_the_contract_as_the_recorded_one_does(source: Source, days: list[date]) -> None:
    contract = CONTRACTS[source.name]
    for day in days:
        good, rejected = split_rows(contract, day, map(json.dumps, source.rows(day)), "")
        assert len(rejected) <= contract.max_bad_share * (len(good) + len(rejected)), (day, rejected[0].reason)


@pytest.mark.parametrize(("source", "name"), [(SALES, "InvoiceNo"), (SUPPORT, "ticket_id")], ids=["sales", "support"])
def test_no_two_days_share_an_identifier_and_each_keeps_the_contract(source: Source, name: str) -> None:
    contract = CONTRACTS[source.name]
    [pattern] = (column.pattern for key, column in contract.columns.items() if (column.source or key) == name)
    assert pattern
    rows = {day: {str(row[name]): row for row in rows} for day, rows in source.load().items()}
    owners: dict[str, date] = {}
    for day in dict.fromkeys([*rows, *DAYS]):
        origin = source.recorded_day(day)
        assert origin
        numbers = {str(source.on(day, origin, row)[name]) for row in rows[origin].values()}
        assert len(numbers) == len(rows[origin]), "two became one"
        for number in numbers:
            assert re.fullmatch(pattern, number)
            assert owners.setdefault(number, day) == day


def test_the_recorded_invoices_lie_where_no_other_day_has_its_own() -> None:
    for rows in SALES.load().values():
        numbers = {int(str(row["InvoiceNo"])[-6:]) for row in rows}
        assert numbers <= set(RECORDED_INVOICES)
    first_numbers = [int(invoice_no("000000", date.fromordinal(1 + number))) for number in range(FREE_BLOCKS)]
    assert not set(first_numbers) & set(RECORDED_INVOICES)
    assert all(after - before >= 250 for before, after in pairwise(sorted(first_numbers)))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2024, 12, 31), date(2024, 12, 31)),
        (date(2022, 3, 1), date(2022, 3, 1)),
        (date(2025, 3, 1), date(2024, 3, 1)),
        (date(2012, 2, 29), date(2024, 2, 29)),
        (DAYS[-1], DAYS[-1].replace(year=2024)),
        (DAYS[-1] + timedelta(days=1), None),
    ],
)
def test_weather_is_that_of_the_same_date_in_the_newest_recorded_year(day: date, expected: date | None) -> None:
    assert replay.same_date(day, LONDON) == expected


def test_a_date_that_no_recorded_year_has_is_the_newest_recorded_day() -> None:
    assert replay.same_date(date(2012, 2, 29), frozenset({date(2015, 2, 28), date(2015, 2, 27)})) == date(2015, 2, 28)


@each_source
def test_what_lies_after_today_is_not_there_yet(source: Source) -> None:
    tomorrow = DAYS[-1] + timedelta(days=1)
    assert source.recorded_day(tomorrow) is None
    with pytest.raises(LookupError, match=f"{source.name} has nothing from {tomorrow} to {tomorrow} yet"):
        source.rows(tomorrow)


def test_a_time_that_no_clock_shows_is_an_hour_later() -> None:
    new_york = ZoneInfo("America/New_York")
    assert replay.moved("2025-01-10T02:30:00", date(2026, 3, 8) - date(2025, 1, 10), new_york) == "2026-03-08T03:30:00"
    assert replay.moved("2025-01-10T01:30:00", date(2026, 11, 1) - date(2025, 1, 10), new_york) == "2026-11-01T01:30:00"
    assert replay.moved("2025-01-10 02:30:00", timedelta(days=1), new_york) == "2025-01-11 02:30:00"


def test_the_label_names_each_replayed_day_once() -> None:
    day, other, recorded_day = DAYS[0], DAYS[1], date(2024, 2, 1)
    pairs = [(day, recorded_day), (other, recorded_day), (recorded_day, recorded_day)]
    assert replay.label(pairs) == {HEADER: "2024-02-01"}
