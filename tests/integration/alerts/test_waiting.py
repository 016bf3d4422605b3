"""The check that starts a round of ``alerts_drain`` finds what it would do, and records one that would do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from include.domains.weather.datasets import WEATHER_DATA
from include.ops.alerts.drain import drain
from include.ops.alerts.waiting import find_work
from spellbook.triggers.alerts_waiting import AlertsWaitingTrigger
from tests.integration.alerts.bench import RUN, Bench
from tests.integration.alerts.scenarios import SUCCEEDED
from tests.integration.alerts.test_drain import POSTGRES, keep_pending, last_drain, load, load_nothing, use

Prepare = Callable[[Bench], None]


@pytest.fixture(autouse=True)
def _connected(bench: Bench, warehouse: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    del bench, variables
    use(warehouse, monkeypatch)


def put(bench: Bench, wait: timedelta = timedelta(0)) -> None:
    """An alert in the outbox, with a row for each of the two channels of its kind."""
    bench.outbox.put(RUN, datetime.now(UTC), wait=wait)


def leave_a_gap(bench: Bench) -> None:
    today = datetime.now(UTC).date()
    for days in (4, 2):
        load(bench, 5, f"{today - timedelta(days=days)}")


REASONS: dict[str, tuple[Prepare, str]] = {
    "pending": (lambda _: keep_pending(), "pending alert alert_"),
    "due": (put, "row "),
    "stale": (lambda bench: load(bench, 5, age=timedelta(days=60)), 'alert ["stale"'),
    "gap": (leave_a_gap, 'alert ["gap"'),
    "empty": (load_nothing, 'alert ["zero_rows"'),
}


def test_when_nothing_waits_the_round_is_recorded(bench: Bench) -> None:
    load(bench, 5)
    bench.session.execute("UPDATE alert_drain SET finished_at = now() - interval '1 hour'")
    before = last_drain(bench)
    assert find_work([WEATHER_DATA]) == frozenset()
    assert last_drain(bench) != before


@pytest.mark.parametrize("reason", REASONS)
def test_what_a_round_would_do_is_found_until_a_round_has_done_it(bench: Bench, reason: str) -> None:
    prepare, text = REASONS[reason]
    prepare(bench)
    before = last_drain(bench)
    work = find_work([WEATHER_DATA])
    assert work
    assert all(item.startswith(text) for item in work), work
    assert last_drain(bench) == before, "only a round that has done everything is recorded"
    drain([WEATHER_DATA])
    assert bench.in_slack()
    assert find_work([WEATHER_DATA]) == frozenset()


def test_a_failure_that_waits_for_more_is_found_when_it_is_due(bench: Bench) -> None:
    put(bench, wait=timedelta(minutes=1))
    assert find_work([]) == frozenset()
    bench.session.execute("UPDATE alert_outbox SET due_at = now() - interval '1 second'")
    assert find_work([])


def test_a_channel_that_backs_off_is_left_alone_until_its_next_attempt(bench: Bench) -> None:
    bench.slack.down = True
    bench.outbox.put(SUCCEEDED, datetime.now(UTC))
    assert find_work([])
    drain([])
    assert bench.in_slack() == []
    assert find_work([]) == frozenset()
    bench.session.execute("UPDATE alert_outbox SET next_at = now() WHERE sent_at IS NULL")
    assert find_work([])
    bench.slack.down = False
    drain([])
    assert len(bench.in_slack()) == 1
    assert find_work([]) == frozenset()


def test_a_known_alert_is_found_again_when_a_connection_for_it_is_added(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(bench, 5, age=timedelta(days=60))
    with monkeypatch.context() as context:
        for name in ("SLACK", "SMTP"):
            context.delenv(f"AIRFLOW_CONN_{name}_DEFAULT")
        drain([WEATHER_DATA])
        assert find_work([WEATHER_DATA]) == frozenset(), "there is no channel"
    assert find_work([WEATHER_DATA])
    drain([WEATHER_DATA])
    assert (len(bench.in_slack()), len(bench.in_mail())) == (1, 1)
    assert find_work([WEATHER_DATA]) == frozenset()


def first_event() -> object:
    """What the trigger fires with first, as the triggerer runs it."""
    _, arguments = AlertsWaitingTrigger().serialize()

    async def fire() -> object:
        return (await anext(AlertsWaitingTrigger(**arguments).run())).payload

    return asyncio.run(fire())


def test_the_trigger_fires_with_what_waits(bench: Bench) -> None:
    put(bench)
    numbers = [number for (number,) in bench.session.execute("SELECT id FROM alert_outbox ORDER BY id")]
    assert first_event() == {"waiting": [f"row {number} of the outbox" for number in numbers], "count": 2}


@pytest.mark.parametrize("fault", ["away", "not migrated", "read-only"])
def test_the_trigger_fires_if_the_warehouse_cannot_be_checked(
    bench: Bench, warehouse: str, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    error = {"away": "OperationalError", "not migrated": "UndefinedTable", "read-only": "ReadOnlySqlTransaction"}[fault]
    if fault == "away":
        monkeypatch.setenv(POSTGRES.variable, POSTGRES.to_json(host="127.0.0.1", port=9, login="x", schema="x"))
    elif fault == "not migrated":
        bench.session.execute("DROP TABLE alert_outbox CASCADE")
    else:
        with psycopg.connect(warehouse, autocommit=True) as session:
            session.execute(f"ALTER DATABASE {session.info.dbname} SET default_transaction_read_only = on")
    assert first_event() == {"waiting": [f"the check failed: {error}"], "count": 1}


def test_no_secret_is_in_an_event(bench: Bench) -> None:
    bench.outbox.put(RUN, datetime.now(UTC))
    keep_pending(error="ValueError: password=sesame")
    assert "sesame" not in str(first_event())
