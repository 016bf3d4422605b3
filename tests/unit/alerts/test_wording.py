"""Schedules, durations, errors and advice in words; without secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, CronTriggerTimetable
from airflow.sdk.log import mask_secret
from pendulum import datetime, duration

from include.ops.alerts import wording
from include.ops.alerts.wording import ERROR_LENGTH, advice_of, error_in_a_line, in_words, schedule_in_words


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (CronDataIntervalTimetable("@daily", timezone="UTC"), "At 00:00, UTC"),
        (CronTriggerTimetable("*/15 * * * *", timezone="Europe/London"), "Every 15 minutes, Europe/London"),
        ([Asset("weather_data"), Asset("sales")], "when sales, weather_data is updated"),
        (Asset("a") & (Asset("b") | Asset("c")), "when a, b, c is updated"),
        (duration(hours=2), "every 2 h"),
        (None, "by hand"),
        ("@continuous", "continuous"),
    ],
)
def test_schedules(schedule: Any, words: str) -> None:
    dag = DAG("spell", schedule=schedule, start_date=datetime(2024, 1, 1), max_active_runs=1)
    assert schedule_in_words(dag.timetable) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (59, "59 s"),
        (300, "5 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (90061, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words


def test_an_error_is_one_line() -> None:
    assert error_in_a_line(ValueError("the cauldron\n  is empty")) == "ValueError: the cauldron is empty"
    assert error_in_a_line(KeyError()) == "KeyError"
    assert error_in_a_line("killed") == "killed"
    assert error_in_a_line(None) == ""
    line = error_in_a_line(ValueError("x" * 1000))
    assert len(line) == ERROR_LENGTH
    assert line.endswith("…")


@pytest.mark.parametrize(
    "text",
    [
        "no route to postgresql://ali:sesame-1001@cave:5432/gold",
        "GET https://api.example.org/data?appid=sesame-1001&q=London",
        "headers {'Authorization': 'Bearer sesame-1001'}",
        'config {"db_password": "sesame-1001"}',
        "API_KEY=sesame-1001",
        "POST https://hooks.slack.com/services/T0/B0/sesame-1001",
        "token xoxb-sesame-1001",
        "AIRFLOW__CELERY__1_PASSWORD = sesame-1001",
    ],
)
def test_unregistered_secrets_are_hidden(text: str) -> None:
    line = error_in_a_line(ConnectionError(text))
    assert "sesame" not in line
    assert "***" in line


def test_a_long_text_is_cut_before_it_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []

    class Pattern:
        def sub(self, _: object, text: str) -> str:
            searched.append(len(text))
            return text

    monkeypatch.setattr(wording, "SECRETS", (Pattern(),))
    error_in_a_line(ValueError("1" * 16_000_000))
    assert searched == [wording.SEARCHED]


def test_registered_secrets_are_hidden() -> None:
    mask_secret("open-sesame-2002")
    assert "2002" not in error_in_a_line(ValueError("it said open-sesame-2002 aloud"))


def test_words_about_secrets_are_kept() -> None:
    text = "ValueError: password is too short, token count 12, tokenizer: none"
    assert error_in_a_line(text) == text


def test_advice_is_the_docs_section_on_failure() -> None:
    doc = "Title.\n\n## What\nIt works.\n\n## On failure\nClear the run.\nThen tell `sales`.\n\n## More\nNothing."
    assert advice_of(doc) == "Clear the run. Then tell `sales`."
    assert advice_of("no headings") == advice_of(None) == ""
