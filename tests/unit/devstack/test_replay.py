"""Which recorded day is replayed for an unrecorded one, and how its rows are shifted."""

from __future__ import annotations

import json
import re
from collections import Counter
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
from include.core.dates import local_day
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
def fixed_today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Today is the last of the days."""
    monkeypatch.setattr(replay, "today", lambda: DAYS[-1])


@each_source
def test_a_recorded_day_is_served_unchanged(source: Source) -> None:
    for day, rows in source.load().items():
        assert source.recorded_day(day) == day
        assert source.rows(day) == rows
        assert replay.replay_header([(day, day)]) == {}


@each_case
def test_every_other_day_has_the_rows_of_a_recorded_day_shifted_by_whole_days(source: Source, days: list[date]) -> None:
    for day in days:
        origin = source.recorded_day(day)
        assert origin
        assert origin != day
        for row, old in zip(source.rows(day), source.load()[origin], strict=True):
            for name in source.times:
                assert bool(row[name]) == bool(old[name])
                if old[name]:
                    before, after = (datetime.fromisoformat(str(item[name])) for item in (old, row))
                    moved = before + (day - origin)
                    assert after == moved or (after == moved + timedelta(hours=1) and skipped(moved, source.zone))
            same = set(row) - set(source.times) - set(source.identifiers)
            assert all(row[name] == old[name] for name in same)


def skipped(local: datetime, zone: ZoneInfo) -> bool:
    """Return whether the time doesn't exist in ``zone``."""
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local


@each_source
def test_every_recorded_day_is_replayed_in_turn(source: Source) -> None:
    origins = [source.recorded_day(day) for day in DAYS[-len(source.load()) :]]
    assert sorted(origin for origin in origins if origin) == sorted(source.load())


@each_case
def test_replayed_days_keep_the_contract(source: Source, days: list[date]) -> None:
    """All days are judged at once, and the day of each row afterwards: the judge has one day."""
    contract = CONTRACTS[source.name]
    sent = [(day, json.dumps(row)) for day in days for row in source.rows(day)]
    undated = contract.model_copy(update={"day_column": None})
    good, rejected = split_rows(undated, days[0], [row for _, row in sent], "")
    received = Counter(day for day, _ in sent)
    bad = Counter(sent[int(str(item.row["line"])) - 1][0] for item in rejected)
    assert all(bad[day] <= contract.max_bad_share * received[day] for day in days), rejected[0].reason
    if contract.day_column:
        assert Counter(local_day(row[contract.day_column], contract.zone) for row in good) == received - bad


@pytest.mark.parametrize(("source", "name"), [(SALES, "InvoiceNo"), (SUPPORT, "ticket_id")], ids=["sales", "support"])
def test_no_two_days_share_an_identifier(source: Source, name: str) -> None:
    contract = CONTRACTS[source.name]
    [pattern] = (column.pattern for key, column in contract.columns.items() if (column.source or key) == name)
    assert pattern
    rows = {day: {str(row[name]): row for row in rows} for day, rows in source.load().items()}
    owners: dict[str, date] = {}
    for day in dict.fromkeys([*rows, *DAYS]):
        origin = source.recorded_day(day)
        assert origin
        numbers = {str(source.move_row(day, origin, row)[name]) for row in rows[origin].values()}
        assert len(numbers) == len(rows[origin]), "two numbers became equal"
        for number in numbers:
            assert re.fullmatch(pattern, number)
            assert owners.setdefault(number, day) == day


def test_recorded_invoice_numbers_are_reserved() -> None:
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
def test_weather_is_replayed_from_the_same_date_of_the_newest_recorded_year(day: date, expected: date | None) -> None:
    assert replay.same_date(day, LONDON) == expected


def test_a_date_that_no_recorded_year_has_replays_the_newest_recorded_day() -> None:
    assert replay.same_date(date(2012, 2, 29), frozenset({date(2015, 2, 28), date(2015, 2, 27)})) == date(2015, 2, 28)


@each_source
def test_future_days_have_no_rows_yet(source: Source) -> None:
    tomorrow = DAYS[-1] + timedelta(days=1)
    assert source.recorded_day(tomorrow) is None
    with pytest.raises(LookupError, match=f"{source.name} has no rows from {tomorrow} to {tomorrow} yet"):
        source.rows(tomorrow)


def test_a_nonexistent_local_time_is_shifted_by_an_hour() -> None:
    new_york = ZoneInfo("America/New_York")
    assert (
        replay.shift_time("2025-01-10T02:30:00", date(2026, 3, 8) - date(2025, 1, 10), new_york)
        == "2026-03-08T03:30:00"
    )
    assert (
        replay.shift_time("2025-01-10T01:30:00", date(2026, 11, 1) - date(2025, 1, 10), new_york)
        == "2026-11-01T01:30:00"
    )
    assert replay.shift_time("2025-01-10 02:30:00", timedelta(days=1), new_york) == "2025-01-11 02:30:00"


def test_the_label_names_each_replayed_day_once() -> None:
    day, other, recorded_day = DAYS[0], DAYS[1], date(2024, 2, 1)
    pairs = [(day, recorded_day), (other, recorded_day), (recorded_day, recorded_day)]
    assert replay.replay_header(pairs) == {HEADER: "2024-02-01"}
