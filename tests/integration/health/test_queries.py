"""What Data health reads from a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from include.core.ml.drift.datasets import MODEL_DAILY, MODEL_DRIFT
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import HIDDEN, Chart, Column, Rejected
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from include.ops.health.alerts import outbox
from include.ops.health.detail import detail
from include.ops.health.models import models
from include.ops.health.overview import State, overview
from include.ops.health.reading import Reader, UnavailableError
from tests.integration.warehouse.cases import WEATHER, observation

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

DATASET = replace(
    WEATHER,
    columns=(*WEATHER.columns, Column("observer", "text", nullable=True, pii=True)),
    freshness=timedelta(days=1),
    chart=Chart(x="date", y="temperature", series="city"),
)
NOW = datetime.now(UTC)


@pytest.fixture
def reader(warehouse: str) -> Reader:
    return Reader(lambda: warehouse)


def load_day(uri: str, day: int, *, rejected: int = 0, dag_id: str = "weather_data_pipeline") -> None:
    date = datetime(2024, 6, day, tzinfo=UTC).date()
    with connect(uri) as session:
        create_table(session, DATASET)
        load(
            session,
            DATASET,
            partition=date,
            rows=[observation(city, 10.0 + day, date) | {"observer": "Ada"} for city in ("London", "Tokyo")],
            attempt=Attempt(dag_id, "load_weather", f"run {day}", 1),
            rejected=[Rejected({"city": str(number)}, "not a city") for number in range(rejected)],
            expected=["London", "Tokyo"],
        )


def test_an_empty_warehouse_has_datasets_that_were_never_loaded(reader: Reader) -> None:
    [health] = reader.read("overview", lambda session: overview(session, [DATASET], NOW))
    assert (health.state, health.rows, health.budget_used, health.last) == (State.NEVER, None, None, None)
    found = reader.read("detail", lambda session: detail(session, DATASET))
    assert (found.rows, found.rejected, found.loads, found.measures, found.lines) == ([], [], [], [], {})
    assert reader.read("models", models) == ([], [], [], [])
    assert reader.read("alerts", outbox)[:2] == ([], [])


def test_loads_set_freshness_budget_and_counts(reader: Reader, warehouse: str) -> None:
    load_day(warehouse, 1, rejected=3)
    load_day(warehouse, 2)
    [health] = reader.read("overview", lambda session: overview(session, [DATASET], datetime.now(UTC)))
    assert (health.state, health.rows, health.quarantined) == (State.FRESH, 4, 3)
    assert (health.received, health.rejected) == (7, 3)
    assert health.budget_used == pytest.approx(3 / 0.07)
    assert health.last
    assert (health.last.partition_key, health.last.run_id) == ("2024-06-02", "run 2")
    assert health.is_readable({"weather_data_pipeline"})
    assert not health.is_readable({"another"})
    later = datetime.now(UTC) + timedelta(days=40)
    [health] = reader.read("later", lambda session: overview(session, [DATASET], later))
    assert (health.state, health.received) == (State.LATE, 0)


def test_a_dataset_is_shown_with_masked_rows_reasons_profiles_and_lines(reader: Reader, warehouse: str) -> None:
    for day in (1, 2, 3):
        load_day(warehouse, day, rejected=day)
    found = reader.read("detail", lambda session: detail(session, DATASET))
    assert found.rows[0] == ("2024-06-03", "London", "13", "Clear", HIDDEN)
    assert len(found.rows) == 6
    assert "Ada" not in str(found)
    assert {row.reason for row in found.rejected} == {"not a city"}
    assert [item.run_id for item in found.loads] == ["run 3", "run 2", "run 1"]
    measures = {measure.name: measure for measure in found.measures}
    assert [value for _, value in measures["median of temperature"].values] == [11, 12, 13]
    assert (measures["median of temperature"].lowest, measures["median of temperature"].highest) == (11, 12)
    assert {name: [y for _, y in points] for name, points in found.lines.items()} == {
        "London": [11, 12, 13],
        "Tokyo": [11, 12, 13],
    }


def test_models_are_shown_from_what_was_recorded(reader: Reader, warehouse: str) -> None:
    with connect(warehouse) as session:
        for dataset in (MODEL_DAILY, MODEL_DRIFT):
            create_table(session, dataset)
        session.execute(
            "INSERT INTO model_checksum (model, version, path, sha256)"
            " SELECT 'm', 1, path, %s FROM unnest(%s::text[]) AS path",
            ["0" * 64, ["a", "b"]],
        )
        session.execute(
            "INSERT INTO model_verdict (model, candidate, verdict)"
            """ VALUES ('m', 'c', '{"rules": [{"name": "accuracy", "passed": false, "details": "0.7"}]}')"""
        )
    found = reader.read("models", models)
    assert [(version.model, version.version) for version in found.versions] == [("m", 1)]
    assert [verdict.accepted for verdict in found.verdicts] == [False]


def write(session: Session) -> None:
    session.execute("DELETE FROM load_log")


def sleep(session: Session) -> None:
    session.execute("SELECT pg_sleep(60)")


@pytest.mark.parametrize(
    ("query", "reason"), [(write, "ReadOnlySqlTransaction"), (sleep, "took longer than")], ids=["write", "sleep"]
)
def test_a_query_can_neither_write_nor_take_long(
    reader: Reader, query: Callable[[Session], None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.ops.health.reading.STATEMENT_SECONDS", 1)
    with pytest.raises(UnavailableError, match=reason):
        reader.read("key", query)


def test_a_warehouse_that_is_down_or_not_migrated_is_named(reader: Reader, warehouse: str) -> None:
    with psycopg.connect(warehouse, autocommit=True) as session:
        session.execute("UPDATE spellbook_version SET version_num = '0001'")
    with pytest.raises(UnavailableError, match=r"docs/deploy\.md"):
        reader.read("alerts", outbox)
    down = Reader(lambda: "postgresql://reader@127.0.0.1:1/x")
    with pytest.raises(UnavailableError, match="OperationalError"):
        down.read("alerts", outbox)
