"""An alert is stored and sent with its error, whatever characters that contains."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.ops.alerts.alert import Kind
from include.ops.alerts.delivery import DeliveryError, deliver
from include.ops.alerts.message import Message
from include.ops.alerts.routing import Route
from tests.integration.alerts.bench import RUN, Bench, failure
from tests.integration.alerts.scenarios import SUCCEEDED
from tests.integration.alerts.servers import Response


@pytest.mark.parametrize(
    ("text", "shown"), [("I\0n\0v", r"I\x00n\x00v"), ("caf\udce9", r"caf\udce9"), ("\ud83d", r"\ud83d")]
)
def test_an_error_is_told_whatever_it_contains(bench: Bench, text: str, shown: str) -> None:
    failed = failure(f"CsvError: the header is {text}")
    bench.task_failure(failed)
    bench.run_failure(failed)
    bench.minute(2)
    bench.one_alert(f"Failed: spell. brew, try 4 of 4: CsvError: the header is {shown}")
    assert bench.session.execute("SELECT body ->> 'error' FROM alert_failure").fetchall() == [
        (f"CsvError: the header is {shown}",)
    ]


def test_the_summary_in_slack_mentions_nobody(bench: Bench) -> None:
    bench.say(replace(SUCCEEDED, kind=Kind.NOTE, subject="brew 1", text="<!channel> <https://evil.example|Log>"))
    [body] = bench.slack.received
    assert "<" not in body["text"]
    assert "&lt;!channel&gt; &lt;https://evil.example|Log&gt;" in body["text"]
    assert body["mrkdwn"] is False


def test_every_text_of_an_alert_is_stored(bench: Bench) -> None:
    note = replace(SUCCEEDED, kind=Kind.NOTE, subject="brew\0 1", text="a\0b", advice="c\ud800", owner="d\0")
    bench.say(note)
    [(key, text)] = bench.session.execute("SELECT DISTINCT alert_key, body ->> 'text' FROM alert_outbox").fetchall()
    assert (key, text) == (note.key, r"a\x00b")
    assert len(bench.in_slack()) == 1


def test_the_reason_of_a_failed_delivery_is_stored(bench: Bench) -> None:
    def refuse(route: Route, _: Message) -> None:
        raise DeliveryError(f"{route.medium} answered \0\ud800")

    bench.outbox = replace(bench.outbox, deliver=refuse)
    bench.say(SUCCEEDED)
    errors = bench.session.execute("SELECT DISTINCT last_error FROM alert_outbox WHERE sent_at IS NULL").fetchall()
    assert errors == [(r"slack answered \x00\ud800",)]


def test_slacks_retry_after_is_capped(bench: Bench) -> None:
    bench.slack.responses = [Response(429, headers={"Retry-After": "1" + "0" * 20})]
    route = bench.outbox.routing.routes(replace(RUN, failures=(failure(),)))[0]
    with pytest.raises(DeliveryError) as caught:
        deliver(route, Message("hello", [], ""))
    assert caught.value.retry_after == 3600
