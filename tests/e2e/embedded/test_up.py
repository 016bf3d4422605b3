"""`make up` prints URL and credentials, refuses other logins, and keeps DAGs paused."""

from __future__ import annotations

import os
import signal
import time
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from devstack import needs
from devstack.api import Airflow
from devstack.exits import Exit
from devstack.state import State
from tests.e2e.dags import DAG_IDS
from tests.e2e.embedded.session import STOP_SECONDS, FinishedRun, Terminal, Up, listeners, survivors

PARSED_SECONDS = 600


@pytest.fixture(scope="module")
def airflow(up: Up) -> Airflow:
    return Airflow.of(State.open(up.terminal.root))


def token_status(up: Up, user: str, password: str) -> int:
    return requests.post(f"{up.url}/auth/token", json={"username": user, "password": password}, timeout=120).status_code


def test_the_url_is_on_the_loopback_interface_and_every_component_is_healthy(up: Up) -> None:
    health = requests.get(f"{up.url}/api/v2/monitor/health", timeout=120).json()
    assert urlsplit(up.url).hostname == "127.0.0.1"
    assert {name: component["status"] for name, component in health.items()} == dict.fromkeys(
        ("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy"
    )


def test_the_printed_credentials_are_accepted(up: Up) -> None:
    assert len(up.password) >= 32
    assert token_status(up, up.user, up.password) == requests.codes.created


@pytest.mark.parametrize(("user", "password"), [("airflow", "airflow"), ("admin", "admin"), ("admin", "airflow")])
def test_guessed_credentials_are_refused(up: Up, user: str, password: str) -> None:
    assert token_status(up, user, password) == requests.codes.unauthorized


def test_requests_without_credentials_are_refused(up: Up) -> None:
    assert requests.get(f"{up.url}/auth/token", timeout=120).status_code == requests.codes.forbidden
    assert requests.get(f"{up.url}/api/v2/dags", timeout=120).status_code == requests.codes.unauthorized


def test_every_socket_listens_on_the_loopback_interface_only(up: Up) -> None:
    listening = listeners(up.terminal.family())
    reachable = sorted(listener for listener in listening if not ip_address(listener[1]).is_loopback)
    assert urlsplit(up.url).port in {port for _, _, port in listening}
    assert not reachable, f"other machines can reach (process, address, port): {reachable}"


def test_every_dag_is_loaded_and_paused_except_alerts_drain(airflow: Airflow) -> None:
    inventory, deadline = set(DAG_IDS), time.monotonic() + PARSED_SECONDS
    while set(airflow.dag_ids()) != inventory and time.monotonic() < deadline:
        time.sleep(1)
    active = {dag["dag_id"] for dag in airflow.get("/dags", limit=100)["dags"] if not dag["is_paused"]}
    published = {dag_id for asset in needs.assets(airflow) if asset.readers for dag_id in asset.producers}
    assert active - published == {"alerts_drain"}
    assert airflow.import_errors() == {}


def test_a_terminal_that_is_closed_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "state")
    process, log = terminal.start()
    try:
        started = terminal.root / "services/postgres.json"
        while not started.exists() and process.poll() is None:
            time.sleep(0.05)
        family = terminal.family()
        assert family, log.read_text()
        for _ in range(2):  # the kernel sends it, and the shell
            os.killpg(process.pid, signal.SIGHUP)
        assert process.wait(STOP_SECONDS) == Exit.HUNG_UP, log.read_text()
        assert not survivors([*family, *terminal.family()]), log.read_text()
        assert not list((terminal.root / "services").glob("[!k]*.json"))
    finally:
        process.kill()
        assert terminal.devstack("clean").returncode == 0


def test_make_down_ends_up_without_an_error(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "state")
    try:
        with terminal.up() as up:
            assert terminal.devstack("down").returncode == 0
            assert up.process.wait(STOP_SECONDS) == 0
        output = up.log.read_text()
        assert "stopped by `make down`" in output
        assert "has ended" not in output
    finally:
        assert terminal.devstack("clean").returncode == 0


def test_a_preview_next_to_up_starts_no_schedule(up: Up, airflow: Airflow) -> None:
    preview = up.terminal.devstack("preview", "model_monitoring")
    assert preview.returncode == Exit.USAGE, preview.stdout
    assert "would start its schedule" in preview.stdout
    assert airflow.get("/dags/model_monitoring")["is_paused"] is True
    assert airflow.get("/dags/model_monitoring/dagRuns")["total_entries"] == 0


def test_a_second_up_names_the_url_of_the_first(up: Up) -> None:
    second = up.terminal.devstack("up")
    assert second.returncode == Exit.MACHINE
    assert "already running" in second.stdout
    assert up.url in second.stdout


def test_a_run_next_to_up_succeeds_and_reports_the_active_schedule(up: Up, airflow: Airflow) -> None:
    run = FinishedRun.of(up.terminal.devstack("run", "my_first_spell"))
    assert run.exit_code == 0, run.output
    assert f"{run.dag_id} was paused and is now unpaused: its schedule is active" in run.output
    assert airflow.get(f"/dags/{run.dag_id}/dagRuns/{run.run_id}")["state"] == "success"
    assert airflow.get(f"/dags/{run.dag_id}")["is_paused"] is False
    assert up.process.poll() is None
