"""Metrics end to end: from Airflow over StatsD to Prometheus, its rules, and the dashboard's panels.

The dashboard's picture is kept if ``SPELLBOOK_PICTURES`` names a folder.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from devstack.api import Airflow
from tests.e2e import dashboard
from tests.e2e.compose.conftest import MONITORING
from tests.e2e.compose.stack import Compose, finish, planted, trigger
from tests.e2e.compose.test_dags import day
from tests.unit.monitoring.registry import selectors
from tests.unit.monitoring.test_dashboard import QUERIES
from tests.unit.monitoring.test_rules import ALERTS

PATIENCE = 900.0  # seconds; a busy machine scrapes, parses and runs callbacks late
A_FEW_SCRAPES = 150.0  # seconds
NOT_PROVOKED = {
    "airflow_task_instances_without_heartbeats_killed",  # takes the three minutes of the heartbeat's time-out
    "airflow_spellbook_messages_lost",  # takes half a minute, and a broker that forgets messages
}


def eventually(condition: Callable[[], Any], description: str) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not after {PATIENCE} s: {description}: {result}"
        time.sleep(2)


def becomes(expected: object, measure: Callable[[], object], provoke: Callable[[], None] = lambda: None) -> None:
    """Wait until what is measured is as expected; provoke it every few scrapes, since StatsD may lose a packet."""
    deadline = time.monotonic() + PATIENCE
    provoked_at = -math.inf
    while (measured := measure()) != expected and time.monotonic() < deadline:
        if time.monotonic() - provoked_at > A_FEW_SCRAPES:
            provoke()
            provoked_at = time.monotonic()
        time.sleep(2)
    assert measured == expected


@pytest.fixture(scope="module")
def prometheus(compose: Compose) -> str:
    return compose.address("prometheus", 9090)


@pytest.fixture(scope="module", autouse=True)
def _some_work(compose: Compose) -> Iterator[None]:
    """A run every few seconds, and a load, for the panels to show."""
    with planted(compose, "metronome"):
        airflow = compose.airflow()
        run_id = trigger(airflow, "weather_data_pipeline", **day("2024-06-20", "2024-06-21"))
        assert finish(airflow, "weather_data_pipeline", run_id) == "success"
        yield


def run_query(prometheus: str, query: str) -> list[dict[str, Any]]:
    """Return the current series of a query."""
    response = requests.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=120).json()
    assert response["status"] == "success", response
    return list(response["data"]["result"])


def exists(prometheus: str, selector: str) -> bool:
    """Return whether Prometheus has ever scraped a series that a selector matches."""
    response = requests.get(f"{prometheus}/api/v1/series", params={"match[]": selector}, timeout=120).json()
    return bool(response["data"])


def has_points(panel: dashboard.PanelResult) -> bool:
    """Return whether a panel shows a line: a rate without samples is a series without numbers."""
    return any(math.isfinite(value) for series in panel.series for _, value in series.points)


def alerts(prometheus: str) -> dict[str, str]:
    """Return the state of each alert that isn't silent, by name."""
    active = requests.get(f"{prometheus}/api/v1/alerts", timeout=120).json()["data"]["alerts"]
    return {alert["labels"]["alertname"]: alert["state"] for alert in active}


def test_every_target_is_scraped(prometheus: str) -> None:
    def all_up() -> bool:
        targets = requests.get(f"{prometheus}/api/v1/targets", timeout=120).json()["data"]["activeTargets"]
        names = {target["labels"]["job"] for target in targets if target["health"] == "up"}
        return names == {"statsd-exporter", "model-server", *MONITORING} - {"alertmanager"}

    eventually(all_up, "every target is up")


def test_both_queues_have_a_worker(prometheus: str) -> None:
    def workers() -> dict[str, str]:
        found = run_query(prometheus, "spellbook_queue_workers")
        return {series["metric"]["queue"]: series["value"][1] for series in found}

    becomes({"default": "1", "finance_priority": "1"}, workers)


def test_every_series_of_a_rule_or_panel_exists(compose: Compose, prometheus: str) -> None:
    airflow = compose.airflow()
    with planted(compose, "mishap"):

        def provoke() -> None:
            assert finish(airflow, "mishap", trigger(airflow, "mishap")) == "failed"

        queries = [*QUERIES, *(alert.rule["expr"] for alert in ALERTS)]
        names = {selector: name for query in queries for selector, name in selectors(query).items()}

        def missing() -> set[str]:
            return {name for selector, name in names.items() if not exists(prometheus, selector)}

        becomes(NOT_PROVOKED, missing, provoke)


def test_every_panel_has_data(prometheus: str) -> None:
    def blank() -> set[str]:
        return {result.title for result in dashboard.panels(prometheus, minutes=15) if not has_points(result)}

    becomes(set(), blank)
    if folder := os.environ.get("SPELLBOOK_PICTURES"):
        dashboard.draw(dashboard.panels(prometheus, minutes=15), Path(folder) / "dashboard.png")


def test_the_watchdog_reaches_alertmanager(compose: Compose) -> None:
    url = f"{compose.address('alertmanager', 9093)}/api/v2/alerts"
    eventually(
        lambda: "Watchdog" in {alert["labels"]["alertname"] for alert in requests.get(url, timeout=120).json()},
        "Alertmanager knows the alert Watchdog",
    )


@pytest.fixture
def without_statsd(compose: Compose) -> Iterator[None]:
    compose.run("stop", "statsd-exporter")
    yield
    compose.up("statsd-exporter")


@pytest.mark.usefixtures("without_statsd")
def test_without_statsd_tasks_run_and_an_alert_fires(prometheus: str, airflow: Airflow) -> None:
    assert finish(airflow, "my_first_spell", trigger(airflow, "my_first_spell")) == "success"
    eventually(lambda: "MetricsPathDead" in alerts(prometheus), "the alert MetricsPathDead is active")


def test_processes_reconnect_to_statsd(prometheus: str) -> None:
    query = "sum(increase(airflow_scheduler_heartbeat[1m]))"
    eventually(
        lambda: [series for series in run_query(prometheus, query) if float(series["value"][1]) > 0],
        "heartbeats are back",
    )
