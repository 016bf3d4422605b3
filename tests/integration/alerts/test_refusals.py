"""What Slack or a mail server refuses holds nothing else, and somebody is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from devstack.slack import refusal
from include.ops.alerts.alert import Kind
from include.ops.alerts.routing import Routing
from tests.integration.alerts.bench import RUN, Bench, failure
from tests.integration.alerts.scenarios import EMPTY, SUCCEEDED, fail
from tests.integration.alerts.servers import Response

LONG = "OperationalError: " + "connection reset by peer; " * 11


def block(text: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"type": "section"} | ({"text": text} if text else {}) | fields


def text(length: int) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": "x" * length}


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([block(text(3000))], ""),
        ([block(text(3001))], "invalid_blocks"),
        ([block(text(0))], "invalid_blocks"),
        ([block()], "invalid_blocks"),
        ([block(fields=[text(2000)] * 4)], ""),
        ([block(fields=[text(2001)])], "invalid_blocks"),
        ([block(fields=[text(1)] * 11)], "invalid_blocks"),
        ([{"type": "header", "text": text(151)}], "invalid_blocks"),
        ([block(text(1))] * 51, "invalid_blocks"),
        ([block(text(3000))] * 4, ""),
        ([block(text(2700))] * 5, "msg_blocks_too_long"),
    ],
)
def test_the_double_refuses_what_slack_refuses(blocks: list[dict[str, Any]], error: str) -> None:
    assert refusal({"text": "hello", "blocks": blocks}) == error


def test_sixty_failures_of_one_cause_are_sent(bench: Bench) -> None:
    for number in range(60):
        run = replace(RUN, dag_id=f"spell_{number}")
        bench.task_failure(failure(LONG), run=run)
        bench.keep_pending(run)
    bench.minute(2)
    bench.say(SUCCEEDED)
    texts = [text for _, text in bench.in_slack()]
    assert len(texts) == 2
    assert texts[0].startswith("60 alerts: Failed: spell_0.")
    assert texts[1] == "Succeeded: spell."
    for number in range(60):
        assert f"Failed: spell_{number}. brew" in str(bench.slack.received[0]["blocks"])


def test_a_schedule_of_sixty_assets_is_sent(bench: Bench) -> None:
    assets = ", ".join(f"s3://a-bucket-with-a-long-name/and-a-folder/{number}" for number in range(60))
    bench.say(replace(SUCCEEDED, schedule=f"when {assets} is updated"))
    assert bench.in_slack() == [("#data-runs", "Succeeded: spell.")]
    assert "blocks" in bench.slack.received[0]


def test_refused_blocks_are_sent_as_plain_text(bench: Bench) -> None:
    bench.slack.responses = [Response(400, error="invalid_blocks")]
    bench.say(SUCCEEDED)
    [body] = bench.slack.received
    assert "blocks" not in body
    assert body["text"].startswith("Succeeded: spell\nDAG: spell\nRun: scheduled__2024-06-01\n")


def test_a_refused_digest_is_split_until_only_the_bad_message_is_refused(bench: Bench) -> None:
    bench.slack.at_word = {"spell_7.": Response(400, error="invalid_blocks"), "spell_7": Response(400)}
    for number in range(16):
        bench.outbox.put(replace(SUCCEEDED, dag_id=f"spell_{number}"), bench.now)
    bench.minute(2)
    received = str(bench.slack.received)
    for number in range(16):
        assert (f"Succeeded: spell_{number}." in received) == (number != 7)
    assert bench.session.execute(
        "SELECT dag_id, refused, last_error FROM alert_outbox WHERE sent_at IS NULL"
    ).fetchall() == [("spell_7", True, "Slack answered 400: not_ok")]


def test_a_message_that_is_refused_for_good_is_marked_and_told_elsewhere(bench: Bench) -> None:
    bench.slack.at_word = {"cursed": Response(400, error="invalid_payload")}
    bench.say(replace(SUCCEEDED, dag_id="cursed_dag"))
    bench.say(replace(SUCCEEDED, dag_id="fine"))
    assert bench.in_slack() == [("#data-runs", "Succeeded: fine.")]
    bench.minute(20)
    assert bench.session.execute(
        "SELECT attempts, kept_back FROM alert_outbox WHERE dag_id = 'cursed_dag' AND kind = 'succeeded'"
    ).fetchall() == [(5, "refused: Slack answered 400: invalid_payload")]
    told = (
        "Not delivered: cursed_dag. slack #data-runs refused an alert (succeeded): Slack answered 400: invalid_payload"
    )
    assert ("data-platform@example.org", told) in bench.in_mail()
    requests = bench.slack.request_count
    bench.minute(60)
    assert bench.slack.request_count == requests, "nothing is tried for ever"


def test_a_message_that_breaks_slack_holds_others_for_minutes_only(bench: Bench) -> None:
    bench.slack.at_word = {"cursed": Response(500)}
    bench.say(replace(SUCCEEDED, dag_id="cursed_dag"))
    for number in range(3):
        bench.outbox.put(replace(SUCCEEDED, dag_id=f"fine_{number}"), bench.now)
    bench.minute(8)
    assert bench.in_slack() == [("#data-runs", f"Succeeded: fine_{number}.") for number in range(3)]
    bench.minute(30)
    assert (
        "data-platform@example.org",
        "Not delivered: cursed_dag. slack #data-runs refused an alert (succeeded): Slack answered 500: not_ok",
    ) in bench.in_mail()


def test_a_message_that_breaks_slack_holds_no_digest(bench: Bench) -> None:
    bench.slack.at_word = {"spell_7": Response(500)}
    for number in range(16):
        bench.outbox.put(replace(SUCCEEDED, dag_id=f"spell_{number}"), bench.now)
    bench.minute(12)
    received = str(bench.slack.received)
    for number in range(16):
        assert (f"Succeeded: spell_{number}." in received) == (number != 7)


def test_a_row_that_is_no_alert_holds_no_other(bench: Bench) -> None:
    bench.outbox.put(replace(SUCCEEDED, dag_id="broken"), bench.now)
    bench.session.execute("UPDATE alert_outbox SET body = '{}'")
    bench.outbox.put(SUCCEEDED, bench.now)
    bench.minute(20)
    assert bench.in_slack()[0] == ("#data-runs", "Succeeded: spell.")
    assert any("Not delivered: broken." in text for _, text in bench.in_mail())


@pytest.fixture
def team(bench: Bench) -> Bench:
    """Failures are mailed to three people."""
    mail = {"default": ["nobody@example.org"], "data-platform": [f"{name}@example.org" for name in "abc"]}
    bench.outbox = replace(bench.outbox, routing=Routing.load().model_copy(update={"mail": mail}))
    return bench


def mailed(bench: Bench) -> list[str]:
    return [recipient for recipient, text in bench.in_mail() if text == EMPTY]


def test_a_greylisted_recipient_is_tried_again_and_the_others_are_not(team: Bench) -> None:
    team.mail.refused = {"b@example.org": "451 greylisted, try again later"}
    fail(team)
    assert mailed(team) == ["a@example.org", "c@example.org"]
    team.mail.refused = {}
    team.minute(3)
    assert mailed(team) == ["a@example.org", "c@example.org", "b@example.org"]
    assert len(team.in_slack()) == 1


def test_a_recipient_who_is_refused_for_good_is_marked_and_told(team: Bench) -> None:
    team.mail.refused = {"b@example.org": "550 no such user"}
    fail(team)
    team.minute(20)
    assert mailed(team) == ["a@example.org", "c@example.org"]
    [(recipient, reason)] = team.session.execute(
        "SELECT recipient, kept_back FROM alert_outbox WHERE kind = 'failed' AND kept_back IS NOT NULL"
    ).fetchall()
    assert recipient == "b@example.org"
    assert "no such user" in str(reason)
    [told] = [text for _, text in team.in_slack() if text.startswith("Not delivered")]
    assert "mail b@example.org refused an alert (failed)" in told
    assert team.session.execute("SELECT count(*) FROM alert_outbox WHERE sent_at IS NULL").fetchall() == [(0,)]


def test_the_outbox_has_a_kind_for_refusals() -> None:
    assert Routing.load().kinds[Kind.UNDELIVERED] == "act"
