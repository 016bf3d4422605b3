"""The outbox's guarantees: crashes, concurrency, refusals, silences, history, and alerts from the load log."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from email.message import EmailMessage

import pytest

from include.core.warehouse.connect import connect
from include.datasets import DATASETS
from include.domains.weather.datasets import WEATHER_DATA
from include.ops.alerts import freshness_alerts
from include.ops.alerts.alert import Kind
from include.ops.alerts.delivery import DeliveryError, deliver
from include.ops.alerts.fallback_delivery import merge, send
from include.ops.alerts.message import Message
from include.ops.alerts.pending import PendingAlert
from include.ops.alerts.routing import Route, Silence, Silences
from tests.integration.alerts.bench import RUN, Bench, failure
from tests.integration.alerts.scenarios import EMPTY, SUCCEEDED, fail
from tests.integration.alerts.servers import Response


class CrashError(BaseException):
    """The process is killed."""


def test_a_crash_between_send_and_mark_sends_again_and_loses_nothing(bench: Bench) -> None:
    def sent_and_killed(route: Route, message: Message) -> None:
        deliver(route, message)
        raise CrashError

    crashing = replace(bench.outbox, deliver=sent_and_killed)
    bench.outbox.put(replace(RUN, failures=(failure(),)), bench.now)
    with pytest.raises(CrashError):
        crashing.send(RUN, bench.now)
    bench.minute(3)
    assert [text for _, text in bench.in_slack()] == [EMPTY, EMPTY], "the one case in which a message may be sent twice"
    assert [text for _, text in bench.in_mail()] == [EMPTY]


def test_two_drains_at_once_send_once(bench: Bench, warehouse: str) -> None:
    for day in range(4):
        bench.outbox.put(replace(SUCCEEDED, dag_id=f"spell_{day}"), bench.now)
    ready = threading.Barrier(4)

    def drain() -> None:
        with connect(warehouse) as session:
            ready.wait()
            replace(bench.outbox, session=session).drain(bench.now)

    drains = [threading.Thread(target=drain) for _ in range(4)]
    for thread in drains:
        thread.start()
    for thread in drains:
        thread.join()
    assert [text for _, text in bench.in_slack()] == [f"Succeeded: spell_{day}." for day in range(4)]


def test_a_callback_skips_a_message_that_the_drain_is_sending(bench: Bench, warehouse: str) -> None:
    bench.outbox.put(SUCCEEDED, bench.now)
    with connect(warehouse) as other, other.transaction():
        other.execute("SELECT 1 FROM alert_outbox FOR UPDATE")
        assert bench.outbox.send(SUCCEEDED, bench.now) == 0
    assert bench.outbox.send(SUCCEEDED, bench.now) == 1


def test_a_missing_webhook_blocks_its_channel_until_it_is_fixed(bench: Bench) -> None:
    bench.slack.responses = [Response(404)]
    bench.say(replace(SUCCEEDED, dag_id="first"))
    bench.say(replace(SUCCEEDED, dag_id="second"))
    assert bench.slack.request_count == 1
    bench.minute(2)
    assert [text for _, text in bench.in_slack()] == ["Succeeded: first.", "Succeeded: second."]


def test_a_cleared_run_that_fails_again_is_reported_again(bench: Bench) -> None:
    fail(bench)
    again = replace(RUN, attempt="1.1717300000")
    bench.task_failure(failure(), run=again)
    bench.run_failure(failure(), run=again)
    bench.minute(3)
    assert [text for _, text in bench.in_slack()] == [EMPTY, EMPTY]
    assert "first failure" in str(bench.slack.received[0]["blocks"])
    assert "repeated: 2 runs in a row failed" in str(bench.slack.received[1]["blocks"])


def test_a_success_after_failures_is_reported_as_recovered(bench: Bench) -> None:
    for number in range(3):
        run = replace(RUN, run_id=f"run {number}")
        bench.task_failure(failure(), run=run)
        bench.run_failure(failure(), run=run)
    bench.say(replace(SUCCEEDED, run_id="run 3"))
    assert "recovered after 3 failed runs in a row" in str(bench.slack.received[-1]["blocks"])
    bench.say(replace(SUCCEEDED, run_id="run 4"))
    assert "recovered" not in str(bench.slack.received[-1]["blocks"])


def test_a_silenced_alert_is_kept_with_its_reason(bench: Bench) -> None:
    expires = bench.now.date() + timedelta(days=1)
    entry = Silence(dag_id="spe*", kinds=[Kind.FAILED], reason="the cauldron is repaired", expires=expires)
    bench.outbox = replace(bench.outbox, silences=Silences(silences=[entry]))
    fail(bench)
    bench.say(SUCCEEDED)
    bench.minute(3)
    assert [text for _, text in bench.in_slack()] == ["Succeeded: spell."]
    reasons = bench.session.execute("SELECT DISTINCT kept_back FROM alert_outbox WHERE kind = 'failed'").fetchall()
    assert reasons == [(f"the cauldron is repaired (until {expires})",)]


def test_an_expired_silence_is_mentioned_in_the_alert(bench: Bench) -> None:
    entry = Silence(dag_id="spell", reason="the cauldron is repaired", expires=date(2024, 6, 2))
    bench.outbox = replace(bench.outbox, silences=Silences(silences=[entry]))
    fail(bench)
    bench.one_alert(EMPTY)
    note = "The silence until 2024-06-02 (the cauldron is repaired) has expired: remove it from silences.yaml."
    assert note in str(bench.slack.received[0]["blocks"])
    plain_part = bench.mail.received[0].get_payload(0)
    assert isinstance(plain_part, EmailMessage)
    assert note in plain_part.get_content()


def test_without_a_connection_the_alert_is_only_stored(bench: Bench) -> None:
    replace(bench.outbox, available=lambda _: False).put(RUN, bench.now)
    bench.minute()
    assert bench.slack.request_count == 0
    assert bench.session.execute("SELECT kept_back, sent_at IS NOT NULL FROM alert_outbox").fetchall() == [
        ("no route: unwatched, or no connection", True)
    ]


def test_an_alert_sent_while_the_warehouse_was_down_is_not_sent_again(bench: Bench) -> None:
    waiting = merge(replace(RUN, failures=(failure(""),)), None)
    bench.outbox.put(waiting.alert, bench.now, sent=frozenset({"slack #data-alerts"}))
    bench.minute(2)
    assert bench.in_slack() == []
    assert len(bench.in_mail()) == 1


def test_without_the_outbox_each_medium_is_marked_when_it_was_sent(bench: Bench) -> None:
    alert = replace(RUN, failures=(failure(),))
    bench.mail.stop()
    first = send(merge(alert, None), bench.now)
    assert first.sent == {"slack #data-alerts"}
    bench.mail.start()
    second = send(merge(alert, PendingAlert.loads(first.dumps())), bench.now)
    assert second.sent == {"slack #data-alerts", "mail data-platform@example.org"}
    assert send(second, bench.now) == second
    bench.one_alert(EMPTY)
    bench.outbox.put(second.alert, bench.now, sent=second.sent)
    bench.minute(3)
    bench.one_alert(EMPTY)


def test_failures_stored_separately_are_merged() -> None:
    first = merge(replace(RUN, failures=(failure(""),)), None)
    second = merge(replace(RUN, failures=(failure(), failure(task_id="stir"))), first)
    assert [item.task_id for item in second.alert.failures] == ["brew", "stir"]
    assert second.alert.failures[0].error == failure().error


@pytest.fixture
def load(bench: Bench) -> Callable[..., None]:
    """Write a row of ``load_log``, ``hours`` before now."""

    def write(
        hours: float,
        *,
        dataset: str = "weather_data",
        rows: int = 3,
        complete: bool = True,
        partition: str = "2024-06-01",
    ) -> None:
        when = bench.now - timedelta(hours=hours)
        bench.session.execute(
            "INSERT INTO load_log (dataset, partition_key, dag_id, task_id, run_id, map_index, try_number, rows_in,"
            " loaded, quarantined, changed, removed, complete, missing, digest, started_at, finished_at) VALUES"
            " (%s, %s, 'weather', 'load', 'r', -1, 1, %s, %s, 0, 0, 0, %s, '{}', '', %s, %s)",
            [dataset, partition, rows, rows, complete, when, when],
        )

    return write


def test_a_stale_dataset_is_reported_once(bench: Bench, load: Callable[..., None]) -> None:
    freshness = WEATHER_DATA.freshness
    assert freshness
    hours = freshness.total_seconds() / 3600
    assert not list(freshness_alerts.overdue(bench.session, [WEATHER_DATA], bench.now)), (
        "never loaded: the DAG isn't in use"
    )
    load(hours - 0.01)
    assert not list(freshness_alerts.overdue(bench.session, [WEATHER_DATA], bench.now))
    load(1, partition="2023-01-01")
    load(1, complete=False, partition="2024-06-02")
    for _ in range(5):
        bench.now += timedelta(minutes=1)
        bench.pending += freshness_alerts.overdue(bench.session, [WEATHER_DATA], bench.now)
        bench.minute()
    ((channel, text),) = bench.in_slack()
    assert channel == "#data-alerts"
    assert text.startswith("Stale: weather_data. last complete load ")


def test_a_gap_is_reported_once_until_another_day_is_missing(bench: Bench, load: Callable[..., None]) -> None:
    today = bench.now.date()

    def minute() -> list[str]:
        bench.now += timedelta(minutes=1)
        bench.pending += freshness_alerts.missing_partitions(bench.session, [WEATHER_DATA], bench.now)
        bench.minute()
        return [text for _, text in bench.in_slack()]

    load(1, partition=str(today - timedelta(days=1)))
    assert minute() == []
    load(1, partition=str(today - timedelta(days=5)))
    first, last = today - timedelta(days=4), today - timedelta(days=2)
    text = f"Gap: weather_data. missing partitions: weather_data: 3 not loaded ({first} to {last})"
    assert minute() == minute() == [text]
    load(1, partition=str(first))
    assert minute() == [text], "while the gap is being filled, nothing new is reported"
    load(1, partition=str(today + timedelta(days=1)))
    assert len(minute()) == 2


def test_every_dataset_with_a_freshness_limit_is_monitored(bench: Bench, load: Callable[..., None]) -> None:
    watched = {dataset.name for dataset in DATASETS if dataset.freshness is not None}
    assert watched
    for dataset in DATASETS:
        load(24 * 365, dataset=dataset.name)
    alerts = list(freshness_alerts.overdue(bench.session, DATASETS, bench.now))
    assert {alert.subject for alert in alerts} == watched
    assert {alert.runbook for alert in alerts} == {"alerts.md#datastale"}


def test_an_empty_load_is_reported(bench: Bench, load: Callable[..., None]) -> None:
    load(1)
    load(25, rows=0)
    assert not list(freshness_alerts.empty_loads(bench.session, bench.now))
    load(1, rows=0)
    for _ in range(3):
        bench.pending += freshness_alerts.empty_loads(bench.session, bench.now)
        bench.minute()
    text = "No rows: weather_data. load loaded no row into partition 2024-06-01: 0 received, 0 quarantined"
    assert bench.in_slack() == [("#data-alerts", text)]


def test_the_exporter_reports_the_age_of_the_oldest_unsent_alert(bench: Bench) -> None:
    from include.ops.exporter.warehouse import outbox

    bench.slack.down = True
    bench.say(SUCCEEDED)
    age, refused, drained = (metric.samples[0].value for metric in outbox(bench.session))
    assert age > 3600
    assert refused == 0
    bench.outbox.record_drain(bench.now)
    assert drained > bench.now.timestamp() == [metric.samples[0].value for metric in outbox(bench.session)][2]


@pytest.fixture
def _bot(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack's API instead of a webhook."""
    extra = {"base_url": bench.slack.url + "/api/"}
    fields = {"conn_type": "slack", "password": "xoxb-not-a-real-token", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", json.dumps(fields))


@pytest.mark.usefixtures("_bot")
def test_a_bot_posts_to_each_channel_under_its_name(bench: Bench) -> None:
    bench.say(SUCCEEDED)
    fail(bench)
    assert [channel for channel, _ in bench.in_slack()] == ["#data-runs", "#data-alerts"]
    assert {body["username"] for body in bench.slack.received} == {"Spellbook"}


@pytest.mark.usefixtures("_bot")
@pytest.mark.parametrize(
    ("response", "reason", "refused", "wait"),
    [
        (Response(error="invalid_blocks"), "Slack answered invalid_blocks", True, None),
        (Response(error="channel_not_found"), "Slack answered channel_not_found", False, None),
        (
            Response(429, headers={"Retry-After": "7"}, error="ratelimited"),
            "Slack answered 429: ratelimited",
            False,
            7.0,
        ),
    ],
)
def test_an_api_error_is_raised_with_its_reason(
    bench: Bench, response: Response, reason: str, refused: bool, wait: float | None
) -> None:
    bench.slack.responses = [response]
    with pytest.raises(DeliveryError, match=reason) as caught:
        deliver(bench.outbox.routing.routes(SUCCEEDED)[0], Message("hello", [], ""))
    assert (caught.value.refused, caught.value.retry_after) == (refused, wait)
