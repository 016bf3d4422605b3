"""An older answer never replaces a newer one, in whatever order and from whichever runs they are loaded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.core.dag import publication
from include.core.warehouse.errors import LoadError, SupersededError
from include.core.warehouse.load_each import load_each
from include.core.warehouse.loader import load
from tests.integration.warehouse.cases import CITIES, DAY, FIRST, WEATHER, count, observations, published

if TYPE_CHECKING:
    from collections.abc import Collection

    from include.core.warehouse.connect import Session

SIX, NINE = (datetime(2024, 6, 2, hour, tzinfo=UTC) for hour in (6, 9))
EARLY, LATE = replace(FIRST, run_id="asked at 06:00"), replace(FIRST, run_id="asked at 09:00")


def ask(session: Session, hour: datetime | None, temperature: float, expected: Collection[str] | None = None) -> None:
    load(
        session,
        WEATHER,
        partition=DAY,
        rows=observations(*(expected or ()), temperature=temperature),
        attempt=EARLY if hour == SIX else LATE,
        requested_at=hour,
        expected=expected,
        replace=expected is None,
    )


@pytest.mark.parametrize("expected", [None, CITIES])
def test_the_older_answer_is_superseded(session: Session, expected: Collection[str] | None) -> None:
    ask(session, NINE, 9, expected)
    with pytest.raises(SupersededError) as caught:
        ask(session, SIX, 6, expected)
    assert str(caught.value).startswith(
        "weather_data, partition 2024-06-01: these rows were requested at 2024-06-02 06:00:00 UTC, but load_id 1"
        " (weather_data_pipeline.load_weather, asked at 09:00) published an answer of 2024-06-02 09:00:00 UTC:"
        " superseded, nothing was written."
    )
    assert published(session) == dict.fromkeys(CITIES, 9)
    assert count(session, "load_log") == count(session, "load_fence") == 1


def test_a_newer_or_the_same_answer_is_loaded(session: Session) -> None:
    ask(session, SIX, 6)
    ask(session, NINE, 9)
    ask(session, NINE, 9)
    ask(session, None, 10)
    assert published(session) == dict.fromkeys(CITIES, 10)


def test_an_answer_about_other_cities_supersedes_nothing(session: Session) -> None:
    ask(session, NINE, 9, ["Tokyo"])
    ask(session, SIX, 6, ["London", "New York"])
    assert published(session) == {"London": 6, "New York": 6, "Tokyo": 9}


def test_an_answer_that_is_newer_in_part_is_an_error(session: Session) -> None:
    ask(session, NINE, 9, ["Tokyo"])
    with pytest.raises(LoadError, match=r"09:00:00 UTC for Tokyo: nothing was written. Clear the task that requests"):
        ask(session, SIX, 6, CITIES)
    with pytest.raises(LoadError, match="for Tokyo: nothing was written"):
        ask(session, SIX, 6)
    assert published(session) == {"Tokyo": 9}


def test_a_clock_that_is_ahead_blocks_no_later_load(session: Session) -> None:
    ask(session, datetime.now(UTC) + timedelta(days=365), 1)
    ask(session, datetime.now(UTC), 2)
    assert published(session) == dict.fromkeys(CITIES, 2)


def test_a_time_without_a_zone_is_refused(session: Session) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        ask(session, datetime(2024, 6, 2), 1)  # noqa: DTZ001


def test_a_superseded_task_is_skipped(session: Session) -> None:
    class TaskInstance:
        dag_id, task_id, run_id, try_number, map_index = "weather_data_pipeline", "load_weather", "r", 1, None

    class Run:
        start_date = SIX

    ask(session, NINE, 9)
    context = {"ti": TaskInstance, "dag_run": Run, "params": {}}
    with pytest.raises(AirflowSkipException, match="superseded, nothing was written"), publication(context):
        ask(session, SIX, 6)


def test_a_superseded_day_does_not_hold_up_the_others() -> None:
    loaded: list[int] = []

    def load_day(day: int) -> None:
        if day < 3:
            raise SupersededError(str(day))
        loaded.append(day)

    load_each(load_day, [1, 3, 2, 4])
    assert loaded == [3, 4]
    with pytest.raises(SupersededError, match="2"):
        load_each(load_day, [1, 2])
    load_each(load_day, [])
