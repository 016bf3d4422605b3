"""The exporter on a real PostgreSQL: what it counts, and that it responds whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Rejected
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from include.datasets import DATASETS
from include.domains.weather.datasets import WEATHER_DATA
from tests.integration.monitoring.conftest import Exporter

Start = Callable[..., Exporter]
LAST = "spellbook_dataset_last_load_timestamp_seconds{weather_data}"
GAPS = "spellbook_dataset_missing_partitions{weather_data}"
AGE, REFUSED = "spellbook_alert_outbox_oldest_unsent_seconds", "spellbook_alerts_refused"
DRAINED = "spellbook_alerts_last_drain_timestamp_seconds"
UP = "spellbook_up{warehouse}"


@pytest.fixture
def exporter(start_exporter: Start, warehouse: str) -> Exporter:
    exporter = start_exporter()
    exporter.url_file.write_text(warehouse + "\n")
    return exporter


def load_day(uri: str, day: str, *, cities: list[str], rejected: int = 0) -> None:
    """Load a row per city; two cities are expected."""
    row = {"date": day, "temperature": 50.0, "temperature_unit": "°F", "conditions": "Clear", "source": "open_meteo"}
    with connect(uri) as session:
        create_table(session, WEATHER_DATA)
        load(
            session,
            WEATHER_DATA,
            partition=day,
            rows=[row | {"city": city} for city in cities],
            attempt=Attempt("weather_data_pipeline", "load_weather", f"run {day}", 1),
            rejected=[Rejected({"city": str(number)}, "why not") for number in range(rejected)],
            expected=["London", "Tokyo"],
        )


def test_an_empty_warehouse_reports_freshness_limits_only(exporter: Exporter) -> None:
    samples = exporter.scrape()
    limits = {dataset.name: dataset.freshness.total_seconds() for dataset in DATASETS if dataset.freshness is not None}
    assert limits["weather_data"] == 30.5 * 3600
    assert time.time() - samples.pop(DRAINED) > 0, "when the table was created"
    assert samples == {UP: 1, AGE: 0, REFUSED: 0} | {
        f"spellbook_dataset_freshness_slo_seconds{{{name}}}": limits[name] for name in limits
    }


def test_loads_are_counted_and_only_a_complete_load_of_the_newest_day_is_fresh(
    exporter: Exporter, warehouse: str
) -> None:
    load_day(warehouse, "2024-06-02", cities=["London", "Tokyo"], rejected=1)
    first = exporter.scrape()
    assert time.time() - first[LAST] < 60
    assert (
        first["spellbook_rows_loaded_total{weather_data}"],
        first["spellbook_rows_quarantined_total{weather_data}"],
    ) == (
        2,
        1,
    )
    assert first[GAPS] == 0
    load_day(warehouse, "2024-06-01", cities=["London", "Tokyo"])
    load_day(warehouse, "2024-06-03", cities=["London"])
    second = exporter.scrape()
    assert second["spellbook_rows_loaded_total{weather_data}"] == 5
    assert second[LAST] == first[LAST], "an older day and an incomplete load make nothing fresh"
    load_day(warehouse, "2024-06-03", cities=["London", "Tokyo"])
    assert exporter.scrape()[LAST] > first[LAST]


def test_partitions_between_loaded_ones_that_are_missing_are_counted(exporter: Exporter, warehouse: str) -> None:
    today = datetime.now(UTC).date()
    for days in (5, 1):
        load_day(warehouse, str(today - timedelta(days=days)), cities=["London", "Tokyo"])
    assert exporter.scrape()[GAPS] == 3


def test_the_outbox_age_is_that_of_its_oldest_unsent_alert(exporter: Exporter, warehouse: str) -> None:
    assert exporter.scrape()[AGE] == 0
    with psycopg.connect(warehouse) as session:
        session.execute(
            "INSERT INTO alert_outbox (alert_key, medium, conn_id, recipient, username, kind, severity, dag_id, run_id,"
            " attempt, body, created_at, due_at, next_at, sent_at)"
            " SELECT age, 'slack', '', '', '', 'failed', 'act', '', '', '', '{}', now() - age::interval, now(), now(),"
            " sent FROM (VALUES ('1 hour', now()), ('5 minutes', NULL)) AS alerts (age, sent)"
        )
    assert 300 <= exporter.scrape()[AGE] < 330


def test_an_unreachable_warehouse_is_reported_until_it_is_back(exporter: Exporter, warehouse: str) -> None:
    exporter.url_file.write_text("postgresql://someone:hunter2hunter2@127.0.0.1:1/nowhere")
    assert exporter.scrape()[UP] == 0
    exporter.url_file.write_text("hunter2hunter2")
    assert exporter.scrape()[UP] == 0
    exporter.url_file.unlink()
    assert exporter.scrape()[UP] == 0
    exporter.url_file.write_text(warehouse)
    assert exporter.scrape()[UP] == 1
    log = exporter.log.read_text()
    assert "warehouse can't be read" in log
    assert "SPELLBOOK_WAREHOUSE_URL_FILE) isn't a URL" in log
    assert "No such file or directory" in log
    assert "hunter2" not in log


def test_a_dead_broker_does_not_hide_the_warehouse(start_exporter: Start, warehouse: str, tmp_path: Path) -> None:
    broker = tmp_path / "broker"
    broker.write_text("redis://:hunter2hunter2@127.0.0.1:1/0")
    exporter = start_exporter(SPELLBOOK_BROKER_URL_FILE=str(broker))
    exporter.url_file.write_text(warehouse)
    samples = exporter.scrape()
    assert (samples[UP], samples["spellbook_up{broker}"]) == (1, 0)
    broker.write_text("redis://:hunter2@host:hunter2/0")
    assert exporter.scrape()["spellbook_up{broker}"] == 0
    assert "hunter2" not in exporter.log.read_text()


def test_the_exporter_stops_on_sigterm(exporter: Exporter) -> None:
    exporter.scrape()
    assert exporter.stop() == 0
