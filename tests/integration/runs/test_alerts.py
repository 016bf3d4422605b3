"""Alerts of real runs: DAG files that don't configure alerts, and the messages that arrive."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.api import Airflow
from devstack.load import load
from devstack.stack import Stack
from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.message import NO_ERROR
from include.ops.alerts.pending import PendingAlert
from tests.integration.runs.conftest import Make, server, until

About = Callable[[str, int], list[tuple[str, str]]]

ROUNDS = 20  # of alerts_drain, which runs each minute in production while something waits
PLANTED = Path(__file__).parent / "planted" / "alerting.py"
BROKEN = "from airflow.sdk import dag\n\nno_such_name\n"


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Iterator[Airflow]:
    """Airflow with the planted DAGs, which alert by policy only."""
    planted, broken = stack.dags / "alerting.py", stack.dags / "alerting_broken.py"
    planted.write_text(PLANTED.read_text())
    broken.write_text(BROKEN)
    airflow = Airflow.of(stack.state)
    load(airflow, "alerting_fails", stack)
    yield airflow
    planted.unlink()
    broken.unlink()


@pytest.fixture(scope="module")
def start_time() -> float:
    return time.time()


@pytest.fixture(scope="module")
def runs(stack: Stack, airflow: Airflow, start_time: float) -> dict[str, str]:
    """A run of each planted DAG, all at once; their states, when all have ended."""
    del start_time
    reset_rate_limits(stack)
    names = [dag_id for dag_id in airflow.dag_ids() if dag_id.startswith("alerting_")]
    started = {}
    for dag_id in names:
        airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
        started[dag_id] = airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"]
    work = f"/dags/alerting_marked/dagRuns/{started['alerting_marked']}/taskInstances/work"
    until(stack, lambda: airflow.get(work)["state"] == "running", "alerting_marked")
    airflow.patch(work, {"new_state": "failed"})
    return {dag_id: until(stack, partial(ended, airflow, dag_id, run), dag_id) for dag_id, run in started.items()}


def ended(airflow: Airflow, dag_id: str, run_id: str) -> str:
    """State of a run, if it has ended."""
    state = airflow.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
    return str(state) if state in {"success", "failed"} else ""


@pytest.fixture(scope="module")
def messages(stack: Stack, airflow: Airflow, runs: dict[str, str], start_time: float) -> About:
    """The channel and text of Slack messages, and recipient and subject of mails, about a DAG; waits for ``count``."""

    def arrived(kind: str) -> list[bytes]:
        named = sorted((stack.state.root / "alerts" / kind).glob("[0-9]*"))
        return [path.read_bytes() for path in named if int(path.name.partition("-")[0]) > start_time * 1e9]

    def about(dag_id: str) -> list[tuple[str, str]]:
        slack = [json.loads(body) for body in arrived("slack")]
        mails = [message_from_bytes(content, policy=policy.default) for content in arrived("mail")]
        received = [(body["channel"], html.unescape(body["text"])) for body in slack] + [
            (mail["To"], mail["Subject"]) for mail in mails
        ]
        return [(target, text) for target, text in received if re.search(rf"\b{dag_id}\b", text)]

    def arrive(dag_id: str, count: int) -> list[tuple[str, str]]:
        rounds = 0
        while len(about(dag_id)) < count and rounds < ROUNDS:
            drain(stack, airflow)
            rounds += 1
        return about(dag_id)

    del runs
    drain(stack, airflow)
    return arrive


def reset_rate_limits(stack: Stack) -> None:
    """Age the messages of other tests by a minute, so that they don't count towards the rate limit of a channel."""
    with psycopg.connect(server(stack).uri("warehouse")) as connection:
        connection.execute("UPDATE alert_outbox SET sent_at = sent_at - interval '1 minute'")


def drain_once(stack: Stack, airflow: Airflow) -> str:
    """Run `alerts_drain`; return the state in which it ends."""
    airflow.patch("/dags/alerts_drain", {"is_paused": False})
    run_id = airflow.post("/dags/alerts_drain/dagRuns", {"logical_date": None})["dag_run_id"]
    return until(stack, partial(ended, airflow, "alerts_drain", run_id), "alerts_drain")


def drain(stack: Stack, airflow: Airflow) -> None:
    """Run `alerts_drain`, as the triggerer does, until no alert is pending."""
    pending = True
    while pending:
        assert drain_once(stack, airflow) == "success"
        pending = any(item["key"].startswith("alert_") for item in airflow.get("/variables", limit=100)["variables"])


def both(dag_id: str, message: str) -> list[tuple[str, str]]:
    text = f"Failed: {dag_id}. {message}"
    return [("#data-alerts", text), ("data-alerts@example.org", text)]


def test_a_failed_task_is_reported_once(messages: About) -> None:
    assert messages("alerting_fails", 2) == both(
        "alerting_fails", "work, try 2 of 2: ValueError: the cauldron is empty; db_password=***"
    )


def test_a_permanent_error_is_reported_after_the_first_try(messages: About) -> None:
    assert messages("alerting_permanent", 2) == both(
        "alerting_permanent", "work, try 1 of 4: LoadError: the same rows are refused again"
    )


def test_a_killed_task_is_reported_without_its_own_callback(messages: About) -> None:
    assert messages("alerting_killed", 2) == both("alerting_killed", f"work, try 1 of 1: {NO_ERROR}")


def test_a_task_that_somebody_marked_as_failed_is_not_reported_as_killed(messages: About) -> None:
    assert messages("alerting_marked", 2) == both(
        "alerting_marked", "work, try 1 of 1: somebody marked the task as failed"
    )


def test_a_task_that_dies_in_a_successful_run_is_reported(messages: About) -> None:
    received = messages("alerting_tolerant", 3)
    assert sorted(received) == sorted(
        [*both("alerting_tolerant", f"work, try 1 of 1: {NO_ERROR}"), ("#data-runs", "Succeeded: alerting_tolerant.")]
    )


def test_many_failures_of_a_run_send_one_message(messages: About) -> None:
    ((channel, text), (to, subject)) = messages("alerting_crowd", 2)
    assert (channel, to) == ("#data-alerts", "data-alerts@example.org")
    assert text == subject
    assert text.startswith("Failed: alerting_crowd. 5 tasks failed, the first: work[")


def test_a_recovered_task_sends_no_failure_message(messages: About) -> None:
    assert messages("alerting_recovers", 1) == [("#data-runs", "Succeeded: alerting_recovers.")]


def test_a_late_run_is_reported(messages: About) -> None:
    received = sorted(messages("alerting_late", 3))
    assert [target for target, _ in received] == ["#data-alerts", "#data-runs", "data-alerts@example.org"]
    assert re.fullmatch(r"Late: alerting_late\. not done by [-\d]+ [:\d]+ UTC", received[0][1])
    assert received[1][1] == "Succeeded: alerting_late."


def test_a_failure_without_the_warehouse_is_stored_and_reported_once(messages: About) -> None:
    assert messages("alerting_cut_off", 2) == both("alerting_cut_off", "work, try 1 of 1: ValueError: cut off")


def test_a_file_that_does_not_load_is_reported(messages: About) -> None:
    text = "Doesn't load: alerting_broken.py. NameError: name 'no_such_name' is not defined"
    assert sorted(messages("alerting_broken.py", 2)) == [("#data-alerts", text), ("data-alerts@example.org", text)]


def test_make_run_shows_the_retries_and_the_messages(make_run: Make, stack: Stack) -> None:
    reset_rate_limits(stack)
    result = make_run("fragile_task", fail_times=2, minute=0.05)
    assert result.good, result.text
    assert "fragile up_for_retry (try 2)" in result.text
    tried = "Tried again: fragile_task. fragile, try {} of 4: ConnectionError: try {} failed: fail_times is 2"
    for number in (1, 2):
        assert tried.format(number, number) in result.text
    assert "Succeeded: fragile_task." in result.text
    assert "Failed: fragile_task" not in result.text


def test_both_callbacks_of_notify_example(make_run: Make, stack: Stack) -> None:
    reset_rate_limits(stack)
    today = f"{datetime.now(UTC):%Y-%m}"
    result = make_run("notify_example")
    assert result.good, result.text
    assert f"Succeeded: notify_example. It worked in the run of {today}" in result.text
    result = make_run("notify_example", fail=True)
    assert not result.good
    assert result.text.count("Failed: notify_example. work, try 2 of 2: ConnectionError: the param fail is set") == 2


def test_no_secret_is_in_the_outbox(query: Callable[..., list[tuple[Any, ...]]], runs: dict[str, str]) -> None:
    assert runs["alerting_fails"] == "failed"
    (stored,) = query("SELECT string_agg(body::text, ' ') FROM alert_failure")[0]
    assert "db_password=***" in stored
    assert "sesame" not in stored


def test_a_pending_alert_that_cannot_be_read_fails_the_drain_and_holds_nothing(stack: Stack, airflow: Airflow) -> None:
    broken, whole = (PendingAlert(Alert(Kind.NOTE, "spell", subject=name, text=name)) for name in ("broken", "whole"))
    airflow.post("/variables", {"key": broken.name, "value": "this is no alert"})
    airflow.post("/variables", {"key": whole.name, "value": whole.dumps()})
    assert drain_once(stack, airflow) == "failed"
    assert [item["key"] for item in airflow.get("/variables", limit=100)["variables"]] == [broken.name]
    airflow.patch(f"/variables/{broken.name}", {"key": broken.name, "value": broken.dumps()})
    drain(stack, airflow)
