"""Alerts of real runs: DAG files without a line about alerts, and the messages that arrive."""

from __future__ import annotations

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
from include.ops.alerts.message import NO_WORD
from tests.integration.runs.conftest import Make, server, until

About = Callable[[str, int], list[tuple[str, str]]]

ROUNDS = 20  # of alerts_drain, which runs each minute in production
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
def begun() -> float:
    return time.time()


@pytest.fixture(scope="module")
def runs(stack: Stack, airflow: Airflow, begun: float) -> dict[str, str]:
    """A run of each planted DAG, all at once; their states, when all have ended."""
    del begun
    rest(stack)
    names = [dag_id for dag_id in airflow.dag_ids() if dag_id.startswith("alerting_")]
    started = {}
    for dag_id in names:
        airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
        started[dag_id] = airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"]
    return {dag_id: until(stack, partial(ended, airflow, dag_id, run), dag_id) for dag_id, run in started.items()}


def ended(airflow: Airflow, dag_id: str, run_id: str) -> str:
    """State of a run, if it has ended."""
    state = airflow.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
    return str(state) if state in {"success", "failed"} else ""


@pytest.fixture(scope="module")
def messages(stack: Stack, airflow: Airflow, runs: dict[str, str], begun: float) -> About:
    """Slack's channel and text, and a mail's recipient and subject, of what is about a DAG; at least so many."""

    def arrived(kind: str) -> list[bytes]:
        named = sorted((stack.state.root / "alerts" / kind).glob("[0-9]*"))
        return [path.read_bytes() for path in named if int(path.name.partition("-")[0]) > begun * 1e9]

    def about(dag_id: str) -> list[tuple[str, str]]:
        slack = [json.loads(body) for body in arrived("slack")]
        mails = [message_from_bytes(content, policy=policy.default) for content in arrived("mail")]
        found = [(body["channel"], body["text"]) for body in slack] + [(mail["To"], mail["Subject"]) for mail in mails]
        return [(target, text) for target, text in found if re.search(rf"\b{dag_id}\b", text)]

    def arrive(dag_id: str, count: int) -> list[tuple[str, str]]:
        rounds = 0
        while len(about(dag_id)) < count and rounds < ROUNDS:
            drain(stack, airflow)
            rounds += 1
        return about(dag_id)

    del runs
    drain(stack, airflow)
    return arrive


def rest(stack: Stack) -> None:
    """Let a minute pass for the channels: what other tests sent there doesn't count against the ones to come."""
    with psycopg.connect(server(stack).uri("warehouse")) as connection:
        if connection.execute("SELECT to_regclass('alert_outbox')").fetchone() != (None,):
            connection.execute("UPDATE alert_outbox SET sent_at = sent_at - interval '1 minute'")


def drain(stack: Stack, airflow: Airflow) -> None:
    """Rounds of `alerts_drain`, as its schedule would make them, until nothing is pending."""
    airflow.patch("/dags/alerts_drain", {"is_paused": False})
    pending = True
    while pending:
        run_id = airflow.post("/dags/alerts_drain/dagRuns", {"logical_date": None})["dag_run_id"]
        assert until(stack, partial(ended, airflow, "alerts_drain", run_id), "alerts_drain") == "success"
        pending = any(one["key"].startswith("alert_") for one in airflow.get("/variables", limit=100)["variables"])


def both(dag_id: str, what: str) -> list[tuple[str, str]]:
    text = f"Failed: {dag_id}. {what}"
    return [("#data-alerts", text), ("data-alerts@example.org", text)]


def test_a_failed_task_is_told_once(messages: About) -> None:
    assert messages("alerting_fails", 2) == both(
        "alerting_fails", "work, try 2 of 2: ValueError: the cauldron is empty; db_password=***"
    )


def test_an_error_that_no_retry_can_help_is_told_at_the_first_try(messages: About) -> None:
    assert messages("alerting_permanent", 2) == both(
        "alerting_permanent", "work, try 1 of 4: LoadError: the same rows are refused again"
    )


def test_a_killed_task_is_told_though_no_callback_of_its_own_ran(
    messages: About,
) -> None:
    assert messages("alerting_killed", 2) == both("alerting_killed", f"work, try 1 of 1: {NO_WORD}")


def test_a_task_that_dies_in_a_run_that_succeeds_is_told(messages: About) -> None:
    told = messages("alerting_tolerant", 3)
    assert sorted(told) == sorted(
        [*both("alerting_tolerant", f"work, try 1 of 1: {NO_WORD}"), ("#data-runs", "Succeeded: alerting_tolerant.")]
    )


def test_many_failures_of_a_run_make_one_message(messages: About) -> None:
    ((channel, text), (to, subject)) = messages("alerting_crowd", 2)
    assert (channel, to) == ("#data-alerts", "data-alerts@example.org")
    assert text == subject
    assert text.startswith("Failed: alerting_crowd. 5 tasks failed, the first: work[")


def test_a_recovered_task_makes_no_failure_message(messages: About) -> None:
    assert messages("alerting_recovers", 1) == [("#data-runs", "Succeeded: alerting_recovers.")]


def test_a_late_run_is_told(messages: About) -> None:
    told = sorted(messages("alerting_late", 3))
    assert [target for target, _ in told] == ["#data-alerts", "#data-runs", "data-alerts@example.org"]
    assert re.fullmatch(r"Late: alerting_late\. not done by [-\d]+ [:\d]+ UTC", told[0][1])
    assert told[1][1] == "Succeeded: alerting_late."


def test_a_failure_without_the_warehouse_is_stored_and_told_once(
    messages: About,
) -> None:
    assert messages("alerting_cut_off", 2) == both("alerting_cut_off", "work, try 1 of 1: ValueError: cut off")


def test_a_file_that_does_not_load_is_told(messages: About) -> None:
    text = "Doesn't load: alerting_broken.py. NameError: name 'no_such_name' is not defined"
    assert sorted(messages("alerting_broken.py", 2)) == [("#data-alerts", text), ("data-alerts@example.org", text)]


def test_make_run_shows_the_retries_and_the_messages(make_run: Make, stack: Stack) -> None:
    rest(stack)
    said = make_run("fragile_task", fail_times=2, minute=0.05)
    assert said.good, said.text
    assert "fragile up_for_retry (try 2)" in said.text
    tried = "Tried again: fragile_task. fragile, try {} of 4: ConnectionError: try {} fails, as do the first 2"
    for number in (1, 2):
        assert tried.format(number, number) in said.text
    assert "Succeeded: fragile_task." in said.text
    assert "Failed: fragile_task" not in said.text


def test_both_callbacks_of_notify_example(make_run: Make, stack: Stack) -> None:
    rest(stack)
    today = f"{datetime.now(UTC):%Y-%m}"
    said = make_run("notify_example")
    assert said.good, said.text
    assert f"Succeeded: notify_example. It worked in the run of {today}" in said.text
    said = make_run("notify_example", fail=True)
    assert not said.good
    assert said.text.count("Failed: notify_example. work, try 2 of 2: ConnectionError: the run was told to fail") == 2


def test_no_secret_is_in_the_outbox(query: Callable[..., list[tuple[Any, ...]]], runs: dict[str, str]) -> None:
    assert runs["alerting_fails"] == "failed"
    (stored,) = query("SELECT string_agg(body::text, ' ') FROM alert_failure")[0]
    assert "db_password=***" in stored
    assert "sesame" not in stored
