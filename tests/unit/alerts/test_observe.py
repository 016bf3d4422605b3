"""From a callback's context to an alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from include.ops.alerts.alert import Kind
from include.ops.alerts.observe import _next_try, attempt_of, failure_of, retry_alert, run_alert
from spellbook.retries import BackoffInParams

NOW = datetime(2024, 6, 1, 14, 0, tzinfo=UTC)


def context(**fields: Any) -> dict[str, Any]:
    """The context that Airflow passes to a task's callback."""
    task = SimpleNamespace(
        retries=3,
        retry_delay=timedelta(minutes=5),
        retry_exponential_backoff=2.0,
        max_retry_delay=timedelta(hours=1),
        retry_policy=None,
        owner="wizards",
    )
    for name in list(fields):
        if hasattr(task, name):
            setattr(task, name, fields.pop(name))
    ti = {"task_id": "brew", "map_index": -1, "try_number": 1, "max_tries": 3, "log_url": "http://log", "task": task}
    for name in list(fields):
        if name in ti:
            ti[name] = fields.pop(name)
    run = SimpleNamespace(clear_number=1, start_date=NOW)
    dag = DAG("spell", schedule=None, start_date=NOW, doc_md="## On failure\nClear it: docs/runbooks/spells.md")
    known = {"dag": dag, "dag_run": run, "run_id": "r 1", "ti": SimpleNamespace(**ti)}
    return known | {"exception": ValueError("empty")} | fields


def test_a_failed_run() -> None:
    alert = run_alert(Kind.FAILED, context(map_index=3, try_number=4))
    assert (alert.dag_id, alert.run_id, alert.attempt) == ("spell", "r 1", f"1.{NOW.timestamp():.0f}")
    assert (alert.owner, alert.schedule, alert.advice) == ("wizards", "by hand", "Clear it: docs/runbooks/spells.md")
    assert alert.runbook == "spells.md"
    assert alert.run_url.endswith("/dags/spell/runs/r%201")
    (failure,) = alert.failures
    assert (failure.task, failure.try_number, failure.max_tries) == ("brew[3]", 4, 4)
    assert failure.error == "ValueError: empty"


def test_every_callback_creates_the_same_key() -> None:
    by_task, by_dag = run_alert(Kind.FAILED, context()), run_alert(Kind.FAILED, context(reason="task_failure"))
    assert by_task.key == by_dag.key
    assert run_alert(Kind.SUCCEEDED, context(reason="success")).key != by_task.key


@pytest.mark.parametrize("reason", ["timed_out", "all_tasks_deadlocked"])
def test_a_run_that_failed_without_a_task(reason: str) -> None:
    alert = run_alert(Kind.FAILED, context(reason=reason))
    assert alert.failures == ()
    assert alert.text


def test_a_cleared_task_has_more_tries() -> None:
    assert failure_of(context(try_number=6, max_tries=7)).max_tries == 8
    assert failure_of(context(try_number=1, max_tries=0)).max_tries == 4


def test_an_attempt_that_never_started() -> None:
    assert attempt_of(SimpleNamespace(clear_number=None, start_date=None)) == "0.0"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "between 14:05:00 and 14:10:00 UTC"),
        ({"try_number": 4}, "between 14:40:00 and 15:00:00 UTC"),
        ({"try_number": 9}, "at 15:00:00 UTC, in 1 h"),
        ({"retry_exponential_backoff": 1.0}, "at 14:05:00 UTC, in 5 min"),
        ({"max_retry_delay": None, "try_number": 9}, "at 15:00:00 UTC, in 1 h"),
    ],
)
def test_the_time_of_the_next_try(fields: dict[str, Any], text: str) -> None:
    assert _next_try(context(**fields), NOW) == text


def test_a_retry_policy_sets_the_time_of_the_next_try() -> None:
    params = {"delay": 5, "cap": 15, "minute": 0.2}
    waits = [
        _next_try(context(try_number=number, retry_policy=BackoffInParams(), params=params), NOW)
        for number in (1, 2, 3)
    ]
    assert waits == [
        "at 14:00:01 UTC, in 1 s (5 min; a minute lasts 0.2 s here)",
        "at 14:00:02 UTC, in 2 s (10 min; a minute lasts 0.2 s here)",
        "at 14:00:03 UTC, in 3 s (15 min, the cap; a minute lasts 0.2 s here)",
    ]


def test_each_try_is_an_alert_of_its_own() -> None:
    assert retry_alert(context(try_number=1)).key != retry_alert(context(try_number=2)).key
