"""The outbox's own promises: crashes, competitors, refusals, silences, history, and what the warehouse's books tell."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from email.message import EmailMessage

import pytest

from include.core.warehouse.connect import connect
from include.core.warehouse.schema import create_schema
from include.datasets import DATASETS
from include.domains.weather.datasets import WEATHER_DATA
from include.ops.alerts import freshness_alerts
from include.ops.alerts.alert import Kind
from include.ops.alerts.delivery import DeliveryError, deliver
from include.ops.alerts.fallback_delivery import joined, send
from include.ops.alerts.message import Message
from include.ops.alerts.outbox import Outbox
from include.ops.alerts.pending import PendingAlert
from include.ops.alerts.routing import Route, Routing, Silence, Silences
from tests.integration.alerts.bench import RUN, Bench, failure
from tests.integration.alerts.scenarios import EMPTY, SUCCEEDED, fail
from tests.integration.alerts.servers import Answer


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
    assert [text for _, text in bench.in_slack()] == [EMPTY, EMPTY], "the one window in which a message may double"
    assert [text for _, text in bench.in_mail()] == [EMPTY]


def test_two_drains_at_once_send_once(bench: Bench, alerts_database: str) -> None:
    for day in range(4):
        bench.outbox.put(replace(SUCCEEDED, dag_id=f"spell_{day}"), bench.now)
    ready = threading.Barrier(4)

    def drain() -> None:
        with connect(alerts_database) as session:
            ready.wait()
            replace(bench.outbox, session=session).drain(bench.now)

    drains = [threading.Thread(target=drain) for _ in range(4)]
    for each in drains:
        each.start()
    for each in drains:
        each.join()
    assert [text for _, text in bench.in_slack()] == [f"Succeeded: spell_{day}." for day in range(4)]


def test_a_callback_passes_over_what_the_drain_is_sending(bench: Bench, alerts_database: str) -> None:
    bench.outbox.put(SUCCEEDED, bench.now)
    with connect(alerts_database) as other, other.transaction():
        other.execute("SELECT 1 FROM alert_outbox FOR UPDATE")
        assert bench.outbox.send(SUCCEEDED, bench.now) == 0
    assert bench.outbox.send(SUCCEEDED, bench.now) == 1


def test_a_message_that_slack_refuses_holds_nothing_up_and_stays(bench: Bench) -> None:
    bench.slack.answers = [Answer(400)]
    bench.say(replace(SUCCEEDED, dag_id="refused"))
    bench.say(replace(SUCCEEDED, dag_id="fine"))
    assert bench.in_slack() == [("#data-runs", "Succeeded: fine.")]
    bench.slack.answers = [Answer(400)]
    bench.minute()
    assert bench.session.execute(
        "SELECT dag_id, attempts, refused, last_error FROM alert_outbox WHERE sent_at IS NULL"
    ).fetchall() == [("refused", 2, True, "Slack answered 400: not_ok")]
    bench.minute(5)
    assert bench.in_slack()[-1] == ("#data-runs", "Succeeded: refused.")


def test_a_lost_webhook_holds_its_channel_until_it_is_mended(bench: Bench) -> None:
    bench.slack.answers = [Answer(404)]
    bench.say(replace(SUCCEEDED, dag_id="first"))
    bench.say(replace(SUCCEEDED, dag_id="second"))
    assert bench.slack.asked == 1
    bench.minute(2)
    assert [text for _, text in bench.in_slack()] == ["Succeeded: first.", "Succeeded: second."]


def test_a_cleared_run_that_fails_again_is_told_again(bench: Bench) -> None:
    fail(bench)
    again = replace(RUN, attempt="1.1717300000")
    bench.task_failure(failure(), run=again)
    bench.run_failure(failure(), run=again)
    bench.minute(3)
    assert [text for _, text in bench.in_slack()] == [EMPTY, EMPTY]
    assert "first failure" in str(bench.slack.taken[0]["blocks"])
    assert "repeated: 2 runs in a row failed" in str(bench.slack.taken[1]["blocks"])


def test_a_success_after_failures_says_so(bench: Bench) -> None:
    for number in range(3):
        run = replace(RUN, run_id=f"run {number}")
        bench.task_failure(failure(), run=run)
        bench.run_failure(failure(), run=run)
    bench.say(replace(SUCCEEDED, run_id="run 3"))
    assert "recovered after 3 failed runs in a row" in str(bench.slack.taken[-1]["blocks"])
    bench.say(replace(SUCCEEDED, run_id="run 4"))
    assert "recovered" not in str(bench.slack.taken[-1]["blocks"])


def test_a_silenced_alert_is_kept_with_its_reason(bench: Bench) -> None:
    expires = bench.now.date() + timedelta(days=1)
    entry = Silence(dag_id="spe*", kinds=[Kind.FAILED], reason="the cauldron is repaired", expires=expires)
    bench.outbox = replace(bench.outbox, silences=Silences(silences=[entry]))
    fail(bench)
    bench.say(SUCCEEDED)
    bench.minute(3)
    assert [text for _, text in bench.in_slack()] == ["Succeeded: spell."]
    kept = bench.session.execute("SELECT DISTINCT kept_back FROM alert_outbox WHERE kind = 'failed'").fetchall()
    assert kept == [(f"the cauldron is repaired (until {expires})",)]


def test_an_expired_silence_says_that_it_is_over(bench: Bench) -> None:
    entry = Silence(dag_id="spell", reason="the cauldron is repaired", expires=date(2024, 6, 2))
    bench.outbox = replace(bench.outbox, silences=Silences(silences=[entry]))
    fail(bench)
    bench.one_alert(EMPTY)
    said = "The silence until 2024-06-02 (the cauldron is repaired) is over: take it out of silences.yaml."
    assert said in str(bench.slack.taken[0]["blocks"])
    plain = bench.mail.taken[0].get_payload(0)
    assert isinstance(plain, EmailMessage)
    assert said in plain.get_content()


def test_without_a_connection_the_alert_is_kept_and_told_from_the_table(bench: Bench) -> None:
    bench.outbox.put(RUN, bench.now, available=lambda _: False)
    bench.minute()
    assert bench.slack.asked == 0
    assert bench.session.execute("SELECT kept_back, sent_at IS NOT NULL FROM alert_outbox").fetchall() == [
        ("no way out: unwatched, or no connection", True)
    ]


def test_what_was_sent_while_the_warehouse_was_down_is_not_sent_again(bench: Bench) -> None:
    waiting = joined(replace(RUN, failures=(failure(""),)), None)
    bench.outbox.put(waiting.alert, bench.now, sent=frozenset({"slack"}))
    bench.minute(2)
    assert bench.in_slack() == []
    assert len(bench.in_mail()) == 1


def test_without_the_outbox_each_way_out_is_marked_when_it_worked(bench: Bench) -> None:
    alert = replace(RUN, failures=(failure(),))
    bench.mail.stop()
    first = send(joined(alert, None), bench.now)
    assert first.sent == {"slack"}
    bench.mail.start()
    second = send(joined(alert, PendingAlert.loads(first.dumps())), bench.now)
    assert second.sent == {"slack", "mail"}
    assert send(second, bench.now) == second
    bench.one_alert(EMPTY)
    bench.outbox.put(second.alert, bench.now, sent=second.sent)
    bench.minute(3)
    bench.one_alert(EMPTY)


def test_failures_that_are_stored_apart_are_joined() -> None:
    first = joined(replace(RUN, failures=(failure(""),)), None)
    second = joined(replace(RUN, failures=(failure(), failure(task_id="stir"))), first)
    assert [each.task_id for each in second.alert.failures] == ["brew", "stir"]
    assert second.alert.failures[0].error == failure().error


@pytest.fixture
def load(bench: Bench) -> Callable[..., None]:
    """Write a row of ``load_log``, ``hours`` before now."""
    create_schema(bench.session)

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


def test_a_dataset_that_no_run_loaded_is_told_once_a_lapse(bench: Bench, load: Callable[..., None]) -> None:
    freshness = WEATHER_DATA.freshness
    assert freshness
    hours = freshness.total_seconds() / 3600
    assert not list(freshness_alerts.overdue(bench.session, [WEATHER_DATA], bench.now)), (
        "never loaded: nobody turned it on"
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


def test_every_table_with_a_freshness_is_watched(bench: Bench, load: Callable[..., None]) -> None:
    watched = {dataset.name for dataset in DATASETS if dataset.freshness is not None}
    assert watched
    for dataset in DATASETS:
        load(24 * 365, dataset=dataset.name)
    alerts = list(freshness_alerts.overdue(bench.session, DATASETS, bench.now))
    assert {alert.subject for alert in alerts} == watched
    assert {alert.runbook for alert in alerts} == {"alerts.md#datastale"}


def test_an_empty_load_is_told(bench: Bench, load: Callable[..., None]) -> None:
    load(1)
    load(25, rows=0)
    assert not list(freshness_alerts.empty_loads(bench.session, bench.now))
    load(1, rows=0)
    for _ in range(3):
        bench.pending += freshness_alerts.empty_loads(bench.session, bench.now)
        bench.minute()
    bench_text = "No rows: weather_data. load loaded no row into partition 2024-06-01: 0 came, 0 quarantined"
    assert bench.in_slack() == [("#data-alerts", bench_text)]


def test_the_monitoring_reads_the_age_of_what_waits(bench: Bench) -> None:
    from include.ops.exporter.warehouse import outbox

    bench.slack.down = True
    bench.say(SUCCEEDED)
    ((metric),) = outbox(bench.session)
    assert metric.samples[0].value > 3600


def test_many_creators_at_once(alerts_database: str, bench: Bench) -> None:
    bench.session.execute("DROP TABLE alert_outbox, alert_failure")

    def create() -> None:
        with connect(alerts_database) as session:
            Outbox(session, Routing.load(), Silences(), deliver).create()

    creators = [threading.Thread(target=create) for _ in range(8)]
    for each in creators:
        each.start()
    for each in creators:
        each.join()
    bench.say(SUCCEEDED)
    assert len(bench.slack.taken) == 1


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
    assert {body["username"] for body in bench.slack.taken} == {"Spellbook"}


@pytest.mark.usefixtures("_bot")
@pytest.mark.parametrize(
    ("answer", "reason", "refused", "wait"),
    [
        (Answer(error="invalid_blocks"), "Slack answered invalid_blocks", True, None),
        (Answer(error="channel_not_found"), "Slack answered channel_not_found", False, None),
        (Answer(429, headers={"Retry-After": "7"}, error="ratelimited"), "Slack answered 429: ratelimited", False, 7.0),
    ],
)
def test_what_the_api_refuses(bench: Bench, answer: Answer, reason: str, refused: bool, wait: float | None) -> None:
    bench.slack.answers = [answer]
    with pytest.raises(DeliveryError, match=reason) as caught:
        deliver(bench.outbox.routing.routes(SUCCEEDED)[0], Message("hello", [], ""))
    assert (caught.value.refused, caught.value.retry_after) == (refused, wait)
