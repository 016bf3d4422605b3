"""A round of ``alerts_drain`` does what it can, whatever is stored and whatever the warehouse refuses."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from devstack.postgres import Postgres
from include.domains.weather.datasets import WEATHER_DATA
from include.ops.alerts import drain as drain_module
from include.ops.alerts import pending
from include.ops.alerts.drain import DrainError, drain
from include.ops.alerts.pending import PendingAlert
from include.settings import CONNECTIONS
from tests.integration.alerts.bench import RUN, Bench, failure
from tests.integration.alerts.scenarios import EMPTY, SUCCEEDED

(POSTGRES,) = (declared for declared in CONNECTIONS if declared.conn_id == "postgres_default")
LONG_AGO = datetime(2024, 6, 1, tzinfo=UTC)


def use(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the connection lead to this warehouse."""
    parts = urlsplit(uri)
    value = POSTGRES.to_json(
        host=parts.hostname, port=parts.port, login=parts.username, password=parts.password, schema=parts.path[1:]
    )
    monkeypatch.setenv(POSTGRES.variable, value)


@pytest.fixture(autouse=True)
def _connected(bench: Bench, warehouse: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    del bench, variables
    use(warehouse, monkeypatch)


def keep_pending(since: datetime = LONG_AGO, error: str = failure().error) -> None:
    pending.store(PendingAlert(replace(RUN, failures=(failure(error),)), since=since))


def load(bench: Bench, rows: int, day: str = "2024-06-01", age: timedelta = timedelta(hours=1)) -> None:
    """A complete load of this many rows."""
    bench.session.execute(
        "INSERT INTO load_log (dataset, partition_key, dag_id, task_id, run_id, map_index, try_number, rows_in, loaded,"
        " quarantined, changed, removed, complete, missing, digest, started_at, finished_at) VALUES (%s, %s,"
        " 'weather', 'load', 'r', -1, 1, %s, %s, 0, 0, 0, true, '{}', '', %s, %s)",
        [WEATHER_DATA.name, day, rows, rows, *[datetime.now(UTC) - age] * 2],
    )


def load_nothing(bench: Bench) -> None:
    load(bench, 0)


def last_drain(bench: Bench) -> object:
    return bench.session.execute("SELECT finished_at FROM alert_drain").fetchone()


def test_a_good_round_is_recorded(bench: Bench) -> None:
    before = last_drain(bench)
    keep_pending()
    result = drain([WEATHER_DATA])
    assert (result.imported, result.sent, result.problems) == (1, 2, [])
    bench.one_alert(EMPTY)
    assert last_drain(bench) != before


@pytest.mark.parametrize("value", ["not json", "[]", "{}", '{"alert": {"kind": "no such kind"}, "sent": []}'])
def test_a_pending_alert_that_cannot_be_read_holds_nothing_and_is_named(
    bench: Bench, variables: dict[str, str], value: str
) -> None:
    variables["alert_broken"] = value
    keep_pending()
    load_nothing(bench)
    before = last_drain(bench)
    with pytest.raises(
        DrainError, match="pending alert alert_broken: ValueError: the Variable's value isn't a pending"
    ):
        drain([WEATHER_DATA])
    assert list(variables) == ["alert_broken"]
    assert [text.partition(".")[0] for _, text in bench.in_slack()] == ["Failed: spell", "No rows: weather_data"]
    assert last_drain(bench) == before


def test_a_pending_alert_that_the_warehouse_refuses_is_sent_and_holds_nothing(
    bench: Bench, variables: dict[str, str]
) -> None:
    bench.session.execute("ALTER TABLE alert_outbox ADD CHECK (dag_id <> 'cursed')")
    cursed = PendingAlert(replace(SUCCEEDED, dag_id="cursed"), since=LONG_AGO)
    pending.store(cursed)
    keep_pending()
    for _ in range(2):
        with pytest.raises(DrainError, match=f"pending alert {cursed.name}: CheckViolation"):
            drain([WEATHER_DATA])
    assert list(variables) == [cursed.name]
    assert [text for _, text in bench.in_slack()] == ["Succeeded: cursed.", EMPTY]


def test_texts_that_no_database_can_store_are_escaped(bench: Bench, variables: dict[str, str]) -> None:
    keep_pending(error="a\0b \ud83d …")
    drain([WEATHER_DATA])
    bench.one_alert("Failed: spell. brew, try 4 of 4: a\\x00b \\ud83d …")
    assert variables == {}


def test_a_read_only_warehouse_keeps_the_alerts_and_sends_what_waits_long(
    bench: Bench, warehouse: str, variables: dict[str, str]
) -> None:
    load_nothing(bench)
    keep_pending(since=datetime.now(UTC))
    with psycopg.connect(warehouse, autocommit=True) as session:
        name = sql.Identifier(session.info.dbname)
        session.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    with pytest.raises(DrainError, match=r"ReadOnlySqlTransaction(?s:.*)alert .*zero_rows.*ReadOnlySqlTransaction"):
        drain([WEATHER_DATA])
    assert bench.in_slack() == [], "a callback may be sending it"
    assert {PendingAlert.loads(value).alert.kind for value in variables.values()} == {"failed", "zero_rows"}
    for key, value in variables.items():
        variables[key] = replace(PendingAlert.loads(value), since=LONG_AGO).dumps()
    for _ in range(2):
        with pytest.raises(DrainError):
            drain([WEATHER_DATA])
    sent = [text.partition(".")[0] for _, text in bench.in_slack()]
    assert sorted(sent) == ["Failed: spell", "No rows: weather_data"]
    with psycopg.connect(warehouse, autocommit=True, options="-c default_transaction_read_only=off") as session:
        session.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))
    drain([WEATHER_DATA])
    assert variables == {}
    assert len(bench.in_slack()) == len(bench.in_mail()) == 2, "each was sent once"


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def foreign(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[str]:
    """URI of a database whose encoding lacks characters of our own messages."""
    name = f"foreign_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.uri(), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0")
        yield postgres.uri(name)
        session.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_warehouse_of_another_encoding_loses_no_alert(
    bench: Bench, foreign: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(foreign, monkeypatch)
    keep_pending(error="ValueError: the cauldron is … 28 °C, \0")
    for _ in range(2):
        with pytest.raises(DrainError, match=r"the outbox can't be opened: ConfigurationError: .* has the encoding"):
            drain([WEATHER_DATA])
    bench.one_alert("Failed: spell. brew, try 4 of 4: ValueError: the cauldron is … 28 °C, \\x00")
    assert len(variables) == 1


def test_an_outage_of_the_channels_too_does_not_prolong_a_round(
    bench: Bench, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POSTGRES.variable, POSTGRES.to_json(host="127.0.0.1", port=9, login="x", schema="x"))
    bench.slack.down = True
    bench.mail.stop()
    for number in range(3):
        pending.store(PendingAlert(replace(SUCCEEDED, dag_id=f"spell_{number}"), since=LONG_AGO))
    for seconds, tried in ((drain_module.TRYING_SECONDS, 3), (0, 0)):
        monkeypatch.setattr(drain_module, "TRYING_SECONDS", seconds)
        before = bench.slack.request_count
        with pytest.raises(DrainError, match="the outbox can't be opened"):
            drain([WEATHER_DATA])
        assert bench.slack.request_count - before == tried
    assert len(variables) == 3
    bench.mail.start()


def test_an_outage_sends_no_more_than_ten_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POSTGRES.variable, POSTGRES.to_json(host="127.0.0.1", port=9, login="x", schema="x"))
    for number in range(12):
        pending.store(PendingAlert(replace(SUCCEEDED, dag_id=f"spell_{number}"), since=LONG_AGO))
    counts = []
    for _ in range(3):
        with pytest.raises(DrainError, match="the outbox can't be opened"):
            drain([WEATHER_DATA])
        counts.append(len(bench.in_slack()))
    assert counts == [10, 12, 12]
