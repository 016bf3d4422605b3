"""What may happen, each with the messages that must result: exactly these, on exactly these channels."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.message import NO_ERROR
from include.settings import CONNECTIONS
from tests.integration.alerts.bench import RUN, Bench, failure
from tests.integration.alerts.servers import Response

EMPTY = "Failed: spell. brew, try 4 of 4: ValueError: the cauldron is empty"
SUCCEEDED = replace(RUN, kind=Kind.SUCCEEDED)
(SLACK,) = (declared for declared in CONNECTIONS if declared.conn_id == "slack_default")

Scenario = Callable[[Bench], None]


def fail(bench: Bench) -> None:
    """A run fails, on every path that reports it."""
    bench.task_failure(failure())
    bench.run_failure(failure())


def a_task_fails(bench: Bench) -> None:
    bench.task_failure(failure("KeyError: 'newt'", try_number=1, max_tries=1))
    bench.run_failure(failure(try_number=1, max_tries=1))
    bench.minute(3)
    bench.one_alert("Failed: spell. brew, try 1 of 1: KeyError: 'newt'")


def retries_are_exhausted(bench: Bench) -> None:
    fail(bench)
    bench.minute(3)
    bench.one_alert(EMPTY)


def a_failed_task_and_the_run_goes_on(bench: Bench) -> None:
    bench.task_failure(failure())
    bench.minute()
    bench.one_alert(EMPTY)
    bench.run_failure(failure())
    bench.minute()
    bench.one_alert(EMPTY)


def a_retry_recovers(bench: Bench) -> None:
    bench.say(SUCCEEDED)
    bench.minute(3)
    assert bench.in_slack() == [("#data-runs", "Succeeded: spell.")]
    assert bench.in_mail() == []


def a_try_is_repeated(bench: Bench) -> None:
    tried = failure(try_number=1)
    bench.say(replace(RUN, kind=Kind.RETRY, subject="brew 1", failures=(tried,), next_try="at 06:05:00 UTC, in 5 min"))
    bench.minute(3)
    text = "Tried again: spell. brew, try 1 of 4: ValueError: the cauldron is empty"
    assert bench.in_slack() == [("#data-runs", text)]
    assert "at 06:05:00 UTC, in 5 min" in str(bench.slack.received[0]["blocks"])
    assert bench.in_mail() == []


def out_of_memory(bench: Bench) -> None:
    """No callback of the task runs."""
    bench.run_failure(failure())
    bench.minute(3)
    bench.one_alert(f"Failed: spell. brew, try 4 of 4: {NO_ERROR}")


def the_worker_is_lost(bench: Bench) -> None:
    """The task's callback runs in the DAG processor, and knows no error."""
    bench.task_failure(failure(""))
    bench.run_failure(failure())
    bench.minute(3)
    bench.one_alert(f"Failed: spell. brew, try 4 of 4: {NO_ERROR}")


def the_dag_processor_is_killed(bench: Bench) -> None:
    """Only what the scheduler stored remains."""
    bench.keep_pending(replace(RUN, failures=(failure(""),)))
    bench.minute(3)
    bench.one_alert(f"Failed: spell. brew, try 4 of 4: {NO_ERROR}")


def a_deadline_is_missed(bench: Bench) -> None:
    late = replace(RUN, kind=Kind.LATE, subject="2024-06-02T05:59:00+00:00", text="not done by 2024-06-02 05:59:00 UTC")
    bench.outbox.put(late, bench.now)
    bench.outbox.put(late, bench.now)
    bench.minute(3)
    bench.one_alert("Late: spell. not done by 2024-06-02 05:59:00 UTC")


def a_file_does_not_load(bench: Bench) -> None:
    error = Alert(Kind.IMPORT_ERROR, subject="broken.py", attempt="2024-06-02 06", text="SyntaxError: invalid syntax")
    bench.keep_pending(error)
    bench.keep_pending(error)
    bench.minute(3)
    text = "Doesn't load: broken.py. SyntaxError: invalid syntax"
    assert bench.in_slack() == [("#data-alerts", text)]
    assert bench.in_mail() == [("data-alerts@example.org", text)]


def a_hundred_tasks_fail_at_once(bench: Bench) -> None:
    failures = [failure(task_id="extract", map_index=index) for index in range(100)]
    bench.task_failure(*failures)
    bench.run_failure(failures[-1])
    bench.minute(3)
    bench.one_alert(
        "Failed: spell. 100 tasks failed, the first: extract[0], try 4 of 4: ValueError: the cauldron is empty"
    )
    assert "and 95 more" in str(bench.slack.received[0]["blocks"])


def thirty_runs_fail_at_once(bench: Bench) -> None:
    for day in range(30):
        bench.run_failure(failure(), run=replace(RUN, dag_id=f"spell_{day}"))
    bench.minute(3)
    texts = [text for _, text in bench.in_slack()]
    assert len(texts) == len(bench.in_mail()) == 11
    assert texts[-1].startswith("20 alerts: Failed: spell_10.")
    for day in range(30):
        assert sum(f"Failed: spell_{day}." in str(body["blocks"]) + body["text"] for body in bench.slack.received) == 1


def mail_is_down(bench: Bench) -> None:
    bench.mail.stop()
    fail(bench)
    bench.one_alert(EMPTY, mails=0)
    bench.minute(10)
    bench.mail.start()
    bench.minute(20)
    bench.one_alert(EMPTY)


def mail_is_refused_for_now(bench: Bench) -> None:
    bench.mail.refusal = "451 try again later"
    fail(bench)
    bench.mail.refusal = ""
    bench.minute(2)
    bench.one_alert(EMPTY)


def slack_answers_500_three_times(bench: Bench) -> None:
    bench.slack.responses = [Response(500)] * 3
    fail(bench)
    bench.minute(10)
    bench.one_alert(EMPTY)
    assert bench.slack.request_count == 4


def slack_answers_429(bench: Bench) -> None:
    bench.slack.responses = [Response(429, headers={"Retry-After": "600"})]
    fail(bench)
    bench.minute(9)
    assert bench.slack.request_count == 1
    bench.minute(2)
    bench.one_alert(EMPTY)
    assert bench.slack.request_count == 2


def slack_hangs(bench: Bench) -> None:
    bench.slack.responses = [Response(delay=3.0)]
    fail(bench)
    bench.minute(2)
    bench.one_alert(EMPTY)


def slack_has_no_tls(bench: Bench) -> None:
    os.environ[SLACK.variable] = SLACK.to_json(password=bench.slack.url.replace("http:", "https:"))
    fail(bench)
    os.environ[SLACK.variable] = SLACK.to_json(password=bench.slack.url)
    bench.minute(2)
    bench.one_alert(EMPTY)


def both_are_down_for_an_hour(bench: Bench) -> None:
    bench.slack.down = True
    bench.mail.stop()
    fail(bench)
    bench.minute(60)
    assert bench.slack.request_count < 12, "the pauses grow"
    bench.slack.down = False
    bench.mail.start()
    bench.minute(20)
    bench.one_alert(EMPTY)


def order_is_kept(bench: Bench) -> None:
    bench.slack.responses = [Response(500)]
    names = ["first", "second", "third"]
    for name in names:
        bench.now += timedelta(seconds=1)
        bench.say(replace(SUCCEEDED, dag_id=name))
    assert bench.in_slack() == []
    bench.minute(2)
    assert bench.in_slack() == [("#data-runs", f"Succeeded: {name}.") for name in names]


SURVIVE_A_DIRECT_SEND: tuple[Scenario, ...] = (a_retry_recovers, a_try_is_repeated, out_of_memory)
NEED_THE_OUTBOX: tuple[Scenario, ...] = (
    a_task_fails,
    retries_are_exhausted,
    a_failed_task_and_the_run_goes_on,
    the_worker_is_lost,
    the_dag_processor_is_killed,
    a_deadline_is_missed,
    a_file_does_not_load,
    a_hundred_tasks_fail_at_once,
    thirty_runs_fail_at_once,
    mail_is_down,
    mail_is_refused_for_now,
    slack_answers_500_three_times,
    slack_answers_429,
    slack_hangs,
    slack_has_no_tls,
    both_are_down_for_an_hour,
    order_is_kept,
)
