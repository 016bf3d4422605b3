"""The verdict on a profile, for each kind of statistic."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from include.core.warehouse.anomalies.judge import FEWEST, SAME_VALUES, Finding, judge
from include.core.warehouse.anomalies.profile import Profile
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.history_settings import History, Recurring

MONDAY = date(2024, 1, 1)
SETTINGS = History()


def wave(index: int, size: float = 0.1) -> float:
    """A factor that varies evenly around 1."""
    return 1 + size * math.sin(index * 2.4)


def profile(index: int = 0, **changes: Any) -> Profile:
    """A usual profile of the day ``index``."""
    price = {
        "minimum": 0.42, "p05": 0.85, "p25": 1.25, "median": 2.55 * wave(index), "p75": 4.25, "p95": 9.95,
        "maximum": 50 * wave(index, 0.5), "sum": 9000 * wave(index, 0.3), "distinct": 120,
        "known": 0.8 * wave(index, 0.05), "unchanged": 0.5 * wave(index), "change": wave(index) - 1,
        "large change": 2 * wave(index, 0.3),
    }  # fmt: skip
    time = {"minimum hour": 8.4, "p05 hour": 9.0, "median hour": 13 * wave(index, 0.02), "p95 hour": 16.5,
            "maximum hour": 17.4 * wave(index, 0.01)}  # fmt: skip
    statistics = {
        "": {"repeated": 0.02 * wave(index, 0.5), "new": 0.1 * wave(index)},
        "price": price,
        "time": time,
        "customer": {"null": 0.3 * wave(index), "distinct": 60 * wave(index)},
        "description": {"length": 26 * wave(index, 0.02), "distinct": 800 * wave(index)},
    }
    for name, value in changes.get("statistics", {}).items():
        column, _, statistic = name.partition(".")
        statistics[column][statistic] = value
    shares = {"country": {"UK": 0.9 * wave(index, 0.02), "Germany": 0.05, "France": 0.05 * wave(index, 0.3)}}
    return Profile(changes.get("rows", round(1000 * wave(index, 0.3))), statistics, changes.get("shares", shares))


def history(loads: int = 60) -> list[Profile]:
    return [profile(index) for index in range(1, loads + 1)]


def names(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.column, finding.statistic) for finding in findings}


def test_a_usual_load_is_within_bounds() -> None:
    assert [judge(profile(index), history(), SETTINGS) for index in range(61, 90)] == [[]] * 29


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"rows": 50}, ("", "number")),
        ({"rows": 30_000}, ("", "number")),
        ({"rows": 0}, ("", "number")),
        ({"statistics": {".repeated": 0.5}}, ("", "share of rows that repeat another one apart from the key")),
        ({"statistics": {".new": 0.95}}, ("", "share of keys that the nearest partitions lack")),
        ({"statistics": {"price.median": 25.5}}, ("price", "median")),
        ({"statistics": {"price.median": 0.255}}, ("price", "median")),
        ({"statistics": {"price.sum": 900_000}}, ("price", "sum")),
        ({"statistics": {"price.known": 0.01}}, ("price", "share of rows whose value the nearest partitions have")),
        ({"statistics": {"price.unchanged": 1.0}}, ("price", "share of keys with exactly the previous value")),
        ({"statistics": {"price.change": -5.0}}, ("price", "median change for the same key")),
        ({"statistics": {"price.large change": 40.0}}, ("price", "95th percentile of the changes")),
        ({"statistics": {"time.maximum hour": 12.0}}, ("time", "maximum hour")),
        ({"statistics": {"customer.null": 1.0}}, ("customer", "share of NULL")),
        ({"statistics": {"customer.null": 0.0}}, ("customer", "share of NULL")),
        ({"statistics": {"customer.distinct": 1}}, ("customer", "distinct values")),
        ({"statistics": {"description.length": 5.0}}, ("description", "mean length of the text")),
        ({"shares": {"country": {"Germany": 0.5, "France": 0.5}}}, ("country", "share of rows with 'UK'")),
        ({"shares": {"country": {"UK": 0.95, "France": 0.05}}}, ("country", "share of rows with 'Germany'")),
        ({"shares": {"country": {"UK": 1.0}}}, ("country", "share of rows with 'France'")),
    ],
)
def test_what_is_out_of_bounds_is_found(changes: dict[str, Any], found: tuple[str, str]) -> None:
    findings = judge(profile(**changes), history(), SETTINGS)
    column, statistic = found
    assert any(name == column and words.startswith(statistic) for name, words in names(findings))


@pytest.mark.parametrize(
    "changes",
    [
        {"statistics": {".repeated": 0.0, ".new": 0.0}},  # only a rise is an anomaly
        {"statistics": {"price.known": 1.0, "price.unchanged": 0.0}},
        {"shares": {"country": {"UK": 0.9, "Germany": 0.05, "France": 0.03, "Spain": 0.02}}},  # a new value
    ],
)
def test_what_is_better_than_usual_or_new_is_within_bounds(changes: dict[str, Any]) -> None:
    assert judge(profile(**changes), history(), SETTINGS) == []


def test_with_little_history_there_is_no_verdict() -> None:
    assert judge(profile(rows=0), history(FEWEST - 1), SETTINGS) == []
    assert judge(profile(rows=0), history(FEWEST), SETTINGS)


def test_with_little_history_larger_deviations_are_accepted() -> None:
    doubled = profile(statistics={"price.median": 6.0})
    assert judge(doubled, history(60), SETTINGS)
    assert not judge(doubled, history(FEWEST), SETTINGS)


def test_a_bad_load_in_the_history_changes_nothing() -> None:
    accepted = [profile(rows=1_000_000, statistics={"price.median": 255.0, "price.known": 0.0})] * 3
    assert names(judge(profile(statistics={"price.median": 25.5}), history() + accepted, SETTINGS)) == {
        ("price", "median")
    }


def test_after_a_lasting_change_a_twentieth_of_the_loads_and_one_are_refused() -> None:
    def changed(index: int) -> Profile:
        return profile(index, statistics={"price.median": 25.5 * wave(index)})

    for accepted in range(4):
        assert judge(changed(70), history(60 - accepted) + [changed(61 + index) for index in range(accepted)], SETTINGS)
    assert judge(changed(70), history(56) + [changed(61 + index) for index in range(4)], SETTINGS) == []


def test_a_rare_value_is_missing_only_where_the_values_are_always_the_same() -> None:
    countries = {"UK": 0.999, "Malta": 0.001}
    old = [profile(index, shares={"country": countries}) for index in range(SAME_VALUES)]
    new = profile(shares={"country": {"UK": 1.0}})
    assert names(judge(new, old, SETTINGS)) == {("country", "share of rows with 'Malta'")}
    assert judge(new, old[1:], SETTINGS) == []
    assert judge(new, [*old, new], SETTINGS) == []


def test_a_weekday_is_compared_with_its_own_kind() -> None:
    def day(offset: int, rows: int) -> Profile:
        return replace(profile(rows=round(rows * wave(offset))), day=MONDAY + timedelta(days=offset))

    old = [day(offset, 100 if offset % 7 == 6 else 1000) for offset in range(60)]
    sunday, monday = 62, 63
    assert judge(day(sunday, 100), old, SETTINGS) == []
    assert names(judge(day(monday, 100), old, SETTINGS)) == {("", "number")}
    assert names(judge(day(sunday, 1000), old, SETTINGS)) == {("", "number")}


def test_an_incomplete_load_is_compared_by_key_only() -> None:
    bad = profile(rows=10, statistics={"price.change": -5.0, "price.median": 25.5})
    assert names(judge(bad, history(), SETTINGS, complete=False)) == {("price", "median change for the same key")}


def test_the_limit_of_the_dataset_holds() -> None:
    bad = profile(statistics={"price.median": 6.0})
    assert judge(bad, history(), SETTINGS)
    assert judge(bad, history(), History(limit=100)) == []


def test_a_finding_says_how_far_and_what_is_usual() -> None:
    [finding] = judge(profile(statistics={"price.known": 0.004}), history(), SETTINGS)
    assert str(finding) == (
        "price: share of rows whose value the nearest partitions have for the same key is 0.4%; usually"
        f" 79.9%, from 76.0% to 84.0%; {finding.deviation:.1f} times the accepted deviation"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (History(ignored=("town",)), "history names ['town']"),
        (History(recurring=(Recurring("name", ("day",)),)), "'name' needs a partitioned table, and columns besides"),
        (History(recurring=(Recurring("name", ("number",)),)), "'name' must be a number"),
        (History(recurring=(Recurring("secret", ("number",)),)), "'secret' must be a number, without personal data"),
        (History(recurring=(Recurring("number", ("number",)),)), "'number' must be a number"),
    ],
)
def test_a_declaration_that_cannot_be_compared_is_refused(settings: History, message: str) -> None:
    columns = (
        Column("day", "date"),
        Column("name", "text"),
        Column("number", "integer"),
        Column("secret", "integer", pii=True),
    )
    with pytest.raises(ValueError, match="dataset 'it'") as refused:
        Dataset("it", columns, key=("day", "name"), partition="day", history=settings)
    assert message in str(refused.value)


@pytest.mark.parametrize("settings", [{"limit": 1}, {"days": 7}, {"limit": float("nan")}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"history\.(limit|days) is"):
        History(**settings)
