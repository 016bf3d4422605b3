"""The callbacks that Airflow calls, with the outbox in the database of the connection that they look up themselves."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from airflow.sdk import DAG, Context
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from include.ops.alerts import callbacks
from include.ops.alerts.callbacks import on_dag_failure, on_dag_success, on_deadline, on_task_failure, on_task_retry
from include.ops.alerts.message import NO_ERROR
from include.ops.alerts.outbox import Outbox
from include.ops.alerts.pending import PendingAlert
from include.settings import CONNECTIONS
from spellbook.notifiers.outbox import OutboxNotifier
from tests.integration.alerts.bench import RUN, Bench

(POSTGRES,) = (declared for declared in CONNECTIONS if declared.conn_id == "postgres_default")
STARTED = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _connected(bench: Bench, warehouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del bench
    parsed = conninfo_to_dict(warehouse)
    fields = {name: parsed.get(name) for name in ("host", "port", "password")}
    value = POSTGRES.to_json(login=parsed.get("user"), schema=parsed.get("dbname"), **fields)
    monkeypatch.setenv(POSTGRES.variable, value)


def context(**fields: Any) -> Context:
    task = SimpleNamespace(
        retries=1,
        retry_delay=timedelta(minutes=5),
        retry_exponential_backoff=1.0,
        max_retry_delay=None,
        retry_policy=None,
        owner="data-platform",
    )
    ti = {"task_id": "brew", "map_index": -1, "try_number": 2, "max_tries": 1, "log_url": "http://log", "task": task}
    known: dict[str, Any] = {
        "dag": DAG("spell", schedule=None, start_date=STARTED),
        "dag_run": SimpleNamespace(clear_number=0, start_date=STARTED),
        "run_id": "r1",
        "ti": SimpleNamespace(**ti),
    }
    return cast("Context", known | fields)


EMPTY = {"exception": ValueError("empty")}
FAILED = "Failed: spell. brew, try 2 of 2: ValueError: empty"


def test_a_failed_run_is_reported_at_once_with_the_error_of_its_task(bench: Bench) -> None:
    on_task_failure(context(**EMPTY))
    assert bench.slack.request_count == 0, "more tasks may fail"
    on_dag_failure(context(reason="task_failure"))
    bench.one_alert(FAILED)
    on_dag_failure(context(reason="task_failure"))
    bench.one_alert(FAILED)


def test_a_failure_without_an_error_is_reported_after_a_short_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "ERROR_WAIT_SECONDS", 0.3)
    on_dag_failure(context(reason="task_failure"))
    bench.one_alert(f"Failed: spell. brew, try 2 of 2: {NO_ERROR}")


def test_a_success(bench: Bench) -> None:
    on_dag_success(context(reason="success"))
    assert bench.in_slack() == [("#data-runs", "Succeeded: spell.")]


def test_a_retry(bench: Bench) -> None:
    on_task_retry(context(**EMPTY))
    assert bench.in_slack() == [("#data-runs", "Tried again: spell. brew, try 2 of 2: ValueError: empty")]


def test_a_notifier_adds_its_text_to_the_same_message(bench: Bench) -> None:
    failed = context(reason="task_failure")
    on_task_failure(context(**EMPTY))
    OutboxNotifier("Call the wizard.").notify(failed)
    on_dag_failure(failed)
    bench.one_alert(FAILED)
    assert "• `Call the wizard.`" in str(bench.slack.received[0]["blocks"])


def test_a_callback_without_a_dag_sends_nothing(bench: Bench) -> None:
    on_dag_failure(cast("Context", {"dag": None, "run_id": "r1", "reason": "task_failure"}))
    assert bench.slack.request_count == 0


def test_unreachable_slack_and_mail_servers_do_not_block_the_process(bench: Bench) -> None:
    bench.slack.down = True
    bench.mail.stop()
    on_dag_success(context(reason="success"))
    on_task_failure(context(**EMPTY))
    on_dag_failure(context(reason="task_failure"))
    attempts = "SELECT count(*), max(attempts) FROM alert_outbox"
    assert bench.session.execute(attempts).fetchone() == (3, 1), "none is tried twice"
    bench.slack.down = False
    bench.mail.start()
    bench.now = datetime.now(UTC)
    bench.minute(3)
    assert [text for _, text in bench.in_slack()] == ["Succeeded: spell.", FAILED]
    assert [text for _, text in bench.in_mail()] == [FAILED]


def test_a_callback_logs_errors_and_raises_none(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POSTGRES.variable, POSTGRES.to_json(host="127.0.0.1", port=9, login="x", schema="x"))
    with caplog.at_level(logging.WARNING, "include.ops.alerts.callbacks"):
        on_dag_success(context(reason="success"))
    assert "The outbox can't be used" in caplog.messages[0]
    assert '"succeeded", "spell", "r1"' in caplog.messages[0]


@pytest.fixture
def read_only(warehouse: str) -> None:
    """The warehouse accepts no writes, as a standby during a failover."""
    with psycopg.connect(warehouse, autocommit=True) as session:
        name = sql.Identifier(session.info.dbname)
        session.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))


@pytest.mark.usefixtures("read_only")
def test_an_alert_is_sent_and_kept_while_the_warehouse_accepts_no_writes(
    bench: Bench, variables: dict[str, str]
) -> None:
    on_task_failure(context(**EMPTY))
    (kept,) = map(PendingAlert.loads, variables.values())
    assert [failure.error for failure in kept.alert.failures] == ["ValueError: empty"]
    on_dag_failure(context(reason="task_failure", **EMPTY))
    assert [text for _, text in bench.in_slack()] == [FAILED]
    (kept,) = map(PendingAlert.loads, variables.values())
    assert kept.sent == {"slack #data-alerts", "mail data-platform@example.org"}


@pytest.mark.usefixtures("read_only", "variables")
def test_the_text_of_a_notifier_is_kept_while_the_warehouse_accepts_no_writes(bench: Bench) -> None:
    OutboxNotifier("Call the wizard.").notify(context(**EMPTY))
    on_task_failure(context(**EMPTY))
    on_dag_failure(context(reason="task_failure", **EMPTY))
    [message] = bench.slack.received
    assert "• `Call the wizard.`" in str(message["blocks"])


def test_a_pending_alert_that_cannot_be_read_keeps_none_out_of_the_outbox(
    bench: Bench, variables: dict[str, str]
) -> None:
    name = PendingAlert(replace(RUN, run_id="r1")).name
    variables[name] = "not json"
    on_dag_failure(context(reason="task_failure"))
    assert bench.session.execute("SELECT count(*) FROM alert_outbox WHERE sent_at IS NOT NULL").fetchone() == (2,)
    assert variables == {name: "not json"}


@pytest.mark.parametrize("error", [psycopg.errors.InternalError_("x"), RuntimeError("x"), KeyError("x")])
def test_an_alert_is_sent_and_kept_whatever_the_error(
    bench: Bench, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Outbox, "put", fail)
    on_dag_failure(context(reason="task_failure", **EMPTY))
    bench.one_alert(FAILED)
    assert len(variables) == 1


def test_an_alert_in_the_outbox_is_not_sent_again_when_sending_fails(
    bench: Bench, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "send", fail)
        on_dag_success(context(reason="success"))
    assert (variables, bench.in_slack()) == ({}, [])
    bench.now = datetime.now(UTC)
    bench.minute()
    assert bench.in_slack() == [("#data-runs", "Succeeded: spell.")]


@pytest.mark.usefixtures("read_only", "bench")
def test_a_late_run_is_kept_while_the_warehouse_accepts_no_writes(variables: dict[str, str]) -> None:
    asyncio.run(on_deadline(late("running")))
    (kept,) = map(PendingAlert.loads, variables.values())
    assert (kept.alert.kind, kept.alert.text) == ("late", "not done by 2024-06-01 06:00:00 UTC")


def test_a_password_that_changes_meanwhile_loses_no_late_alert(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the warehouse nor the Variables can be used, until the connection has the new password."""
    monkeypatch.setattr(callbacks, "RETRY_SECONDS", 0.1)
    fields = json.loads(os.environ[POSTGRES.variable])
    monkeypatch.setenv(POSTGRES.variable, json.dumps(fields | {"password": fields["password"][::-1]}))

    async def wait_and_rotate() -> None:
        waiting = asyncio.create_task(on_deadline(late("running")))
        while "this is retried" not in caplog.text and not waiting.done():  # noqa: ASYNC110  # the log has no event
            await asyncio.sleep(0.05)
        monkeypatch.setenv(POSTGRES.variable, json.dumps(fields))
        await waiting

    with caplog.at_level(logging.WARNING, "include.ops.alerts.callbacks"):
        asyncio.run(wait_and_rotate())
    assert bench.session.execute("SELECT DISTINCT kind FROM alert_outbox").fetchall() == [("late",)]


def late(state: str) -> dict[str, Any]:
    run = {"dag_id": "spell", "dag_run_id": "r1", "state": state}
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": "2024-06-01T06:00:00+00:00"}}


def test_a_late_run_is_reported_unless_it_failed(bench: Bench) -> None:
    for state in ("failed", "running", "running"):
        asyncio.run(on_deadline(late(state), owner="data-platform"))
    bench.now = datetime.now(UTC)
    bench.minute(2)
    bench.one_alert("Late: spell. not done by 2024-06-01 06:00:00 UTC")


def test_a_late_alert_that_can_be_kept_nowhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POSTGRES.variable, POSTGRES.to_json(host="127.0.0.1", port=9, login="x", schema="x"))
    with pytest.raises(ImportError, match="SUPERVISOR_COMMS"):  # no Variables outside Airflow
        asyncio.run(on_deadline(late("running"), patience=0))
