"""The table after a load, a repeat, a shuffle and an incomplete response."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest

from include.core.warehouse.dataset import Column, Dataset, Rejected
from include.core.warehouse.digest import table_digest
from include.core.warehouse.errors import IncompleteLoadError
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from include.core.warehouse.validation.frames import TableReader
from include.core.warehouse.validation.validate import validated
from tests.integration.warehouse.cases import (
    CITIES,
    DAY,
    FIRST,
    SECOND,
    WEATHER,
    count,
    observation,
    observations,
    published,
)  # fmt: skip

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session


def test_a_load_publishes_its_rows_and_logs_them(session: Session) -> None:
    result = load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected=CITIES)
    assert published(session) == dict.fromkeys(CITIES, 20.5)
    assert (result.rows_in, result.loaded, result.quarantined, result.changed, result.removed) == (3, 3, 0, 3, 0)
    assert result.require_complete() is result
    logged = session.execute(
        "SELECT load_id, dataset, partition_key, dag_id, task_id, run_id, map_index, try_number, rows_in, loaded,"
        " complete, missing, digest, finished_at >= started_at FROM load_log"
    ).fetchall()
    assert logged == [
        (result.load_id, "weather_data", "2024-06-01", FIRST.dag_id, FIRST.task_id, FIRST.run_id, -1, 1, 3, 3, True, [],
         table_digest(session, WEATHER), True)
    ]  # fmt: skip
    lineage = session.execute("SELECT DISTINCT load_id, loaded_at IS NOT NULL FROM weather_data").fetchall()
    assert lineage == [(result.load_id, True)]


def test_a_repeat_changes_nothing(session: Session) -> None:
    first = load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected=CITIES)
    before = session.execute("SELECT xmin, * FROM weather_data ORDER BY city").fetchall()
    again = load(session, WEATHER, partition=DAY, rows=observations(), attempt=SECOND, expected=CITIES)
    assert (again.changed, again.removed, again.loaded, again.digest) == (0, 0, 3, first.digest)
    assert session.execute("SELECT xmin, * FROM weather_data ORDER BY city").fetchall() == before


def test_a_frame_loads_like_its_rows(session: Session) -> None:
    mappings = load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
    frame = pd.DataFrame(observations()).assign(date=pd.Timestamp(DAY))
    loaded = load(session, WEATHER, partition=DAY, rows=frame, attempt=FIRST)
    assert (loaded.digest, loaded.changed) == (mappings.digest, 0)


def test_days_loaded_twice_and_in_any_order_give_one_digest(session: Session) -> None:
    days = [DAY + timedelta(days=offset) for offset in range(30)]

    def backfill(order: list[date]) -> str:
        for day in order:
            turn = len(order) % 2 + day.day % 3
            rows = [observation(city, day.day + len(city), day) for city in CITIES[turn:] + CITIES[:turn]]
            load(session, WEATHER, partition=day, rows=rows, attempt=replace(FIRST, run_id=f"backfill__{day}"))
        return table_digest(session, WEATHER)

    once = backfill(days)
    assert backfill(days) == once
    session.execute("TRUNCATE weather_data")
    shuffled = sorted(days, key=lambda day: day.day * 11 % 31)
    assert backfill([*shuffled, *days[:11]]) == once
    assert count(session, "weather_data") == 90


def test_a_digest_depends_on_every_published_value_but_not_on_the_session(session: Session) -> None:
    dataset = Dataset(
        "readings",
        (Column("id", "integer"), Column("at", "timestamp with time zone"), Column("note", "text", nullable=True)),
        key=("id",),
    )
    create_table(session, dataset)
    row = {"id": 1, "at": datetime(2024, 6, 1, 12, tzinfo=UTC), "note": None}

    def digest_of(**changes: object) -> str:
        return load(session, dataset, partition=None, rows=[row | changes], attempt=FIRST).digest

    empty = table_digest(session, dataset)
    changes: list[dict[str, object]] = [{"id": 2}, {"note": "null"}, {"note": ""}, {"at": "2024-06-01T12:00:01Z"}, {}]
    digests = [empty, *(digest_of(**change) for change in changes)]
    assert len(set(digests)) == len(digests)
    session.execute("SET TimeZone = 'Asia/Tokyo'")
    session.execute("SET DateStyle = 'German'")
    assert table_digest(session, dataset) == digests[-1]


def test_times_of_judged_rows_are_in_utc_whatever_the_session(session: Session) -> None:
    dataset = Dataset("readings", (Column("at", "timestamp with time zone"),), key=("at",))
    rows = TableReader(pa.table({"at": ["2024-06-01T12:00:00Z"]}), dataset)
    session.execute("SET TimeZone = 'Asia/Tokyo'")
    load(session, dataset, partition=None, rows=validated(rows, dataset), attempt=FIRST)
    assert session.execute("SELECT at FROM readings").fetchall() == [(datetime(2024, 6, 1, 12, tzinfo=UTC),)]


def test_rows_that_swap_values_have_another_digest_and_are_published(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=[observation("Paris", 9), observation("London", 8)], attempt=FIRST)
    before = table_digest(session, WEATHER)
    rows = [observation("Paris", 8), observation("London", 9)]
    swapped = load(session, WEATHER, partition=DAY, rows=rows, attempt=SECOND)
    assert published(session) == {"Paris": 8, "London": 9}
    assert (swapped.changed, swapped.digest != before) == (2, True)


def test_a_complete_load_replaces_the_partition_and_no_other(session: Session) -> None:
    other_day = DAY + timedelta(days=1)
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected=CITIES)
    load(session, WEATHER, partition=other_day, rows=[observation("Paris", 9, other_day)], attempt=FIRST)
    result = load(session, WEATHER, partition=DAY, rows=observations("London"), attempt=FIRST, expected=["London"])
    assert result.removed == 2
    assert published(session) == {"London": 20.5, "Paris": 9}


def test_a_partial_load_removes_nothing(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected=CITIES)
    result = load(
        session, WEATHER, partition=DAY, rows=observations("Paris"), attempt=FIRST, expected=["Paris"], replace=False
    )
    assert result.removed == 0
    assert set(published(session)) == {*CITIES, "Paris"}


def test_a_missing_city_is_committed_as_incomplete_and_then_raised_by_name(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(temperature=1), attempt=FIRST, expected=CITIES)
    result = load(
        session, WEATHER, partition=DAY, rows=observations("New York", temperature=2), attempt=SECOND, expected=CITIES
    )
    assert (result.complete, result.missing, result.removed) == (False, ("London", "Tokyo"), 0)
    assert published(session) == {"London": 1, "New York": 2, "Tokyo": 1}
    assert session.execute("SELECT complete, missing FROM load_log ORDER BY load_id DESC LIMIT 1").fetchone() == (
        False, ["London", "Tokyo"],
    )  # fmt: skip
    with pytest.raises(IncompleteLoadError, match=r"weather_data, partition 2024-06-01: .*missing: London, Tokyo"):
        result.require_complete()


def test_rejected_rows_go_to_quarantine_and_none_is_lost(session: Session) -> None:
    rejected = [Rejected({"city": "London", "temperature": float("nan"), "seen": DAY}, "temperature is NaN")]
    for attempt in (FIRST, FIRST, SECOND):
        result = load(
            session, WEATHER, partition=DAY, rows=observations("New York", "Tokyo"), attempt=attempt, rejected=rejected,
            expected=CITIES,
        )  # fmt: skip
        assert (result.rows_in, result.loaded, result.quarantined, result.missing) == (3, 2, 1, ("London",))
    quarantined = session.execute("SELECT load_id, source_row, reason FROM quarantine").fetchall()
    source_row = {"city": "London", "temperature": "nan", "seen": "2024-06-01"}
    assert quarantined == [(result.load_id, source_row, "temperature is NaN")]
    load(
        session, WEATHER, partition=DAY, rows=observations(), attempt=replace(FIRST, run_id="manual"), rejected=rejected
    )
    assert count(session, "quarantine") == 2


def test_without_expectations_a_rejected_row_makes_the_load_incomplete(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
    result = load(
        session, WEATHER, partition=DAY, rows=observations("Tokyo"), attempt=FIRST, rejected=[Rejected({}, "empty")]
    )
    assert (result.complete, result.removed) == (False, 0)
    with pytest.raises(IncompleteLoadError, match=r"1 row\(s\) were rejected"):
        result.require_complete()


def test_a_response_without_any_city_is_incomplete_not_empty(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected=CITIES)
    result = load(session, WEATHER, partition=DAY, rows=[], attempt=FIRST, expected=CITIES)
    assert (result.missing, result.loaded) == (CITIES, 0)
    assert count(session, "weather_data") == 3


def test_a_dataset_without_partition_is_replaced_completely(session: Session) -> None:
    dataset = Dataset("passengers", (Column("id", "integer"), Column("age", "numeric", nullable=True)), key=("id",))
    create_table(session, dataset)
    passengers: list[dict[str, object]] = [{"id": 1, "age": None}, {"id": 2, "age": 40}]
    load(session, dataset, partition=None, rows=passengers, attempt=FIRST)
    result = load(session, dataset, partition=None, rows=pd.DataFrame({"id": [2], "age": [41.5]}), attempt=FIRST)
    assert (result.partition, result.removed, result.changed) == ("all", 1, 1)
    assert count(session, "passengers") == 1


def test_wrong_arguments_are_refused_before_anything_is_written(session: Session) -> None:
    with pytest.raises(ValueError, match="expected is 'London'"):
        load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected="London")
    with pytest.raises(ValueError, match="isn't a date"):
        load(session, WEATHER, partition=datetime(2024, 6, 1, tzinfo=UTC), rows=observations(), attempt=FIRST)
    with session.transaction(), pytest.raises(ValueError, match="commit or roll back"):
        load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
    assert count(session, "load_log") == 0
