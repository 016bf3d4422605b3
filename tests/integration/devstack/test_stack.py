"""Services start once, are found again, change taken ports, and leave no process or file behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import psycopg
import pytest
import requests

from devstack import stack as stack_module
from devstack.environment import connections
from devstack.errors import StackError
from devstack.process import Record, is_alive, spawn
from devstack.stack import Stack
from devstack.state import REPOSITORY, port_is_free
from tests.integration.devstack.conftest import ENSURE, alive, family, server

Python = Callable[..., subprocess.Popen[str]]


def pids(stack: Stack) -> dict[str, int]:
    return {service.name: service.pid for service in stack.status() if service.pid}


def wait_for(condition: Callable[[], object]) -> None:
    while not condition():  # as long as the machine needs; pytest's time limit ends a test that hangs
        time.sleep(0.005)


def ready(lines: Iterable[str]) -> list[str]:
    """The services that were reported as ready."""
    return sorted(line.split(":")[0] for line in lines if ": ready after" in line)


def test_a_stack_starts_once_and_leaves_no_process(stack: Stack, messages: list[str]) -> None:
    assert pids(stack) == {}
    stack.ensure(("postgres", "sinks"))
    before = pids(stack)
    assert set(before) == {"postgres", "sinks"}
    assert stack.is_running("sinks")
    assert not stack.is_running("s3")
    stack.ensure(("postgres", "sinks"))
    assert pids(stack) == before
    assert messages[0] == "starting postgres, sinks …"
    assert ready(messages) == ["postgres", "sinks"]
    assert all(Path(service.log).exists() for service in stack.status() if service.pid)
    members = family(stack)
    assert len(members) > 4
    assert stack.stop() == ["sinks", "postgres"]
    assert alive(members) == []
    assert pids(stack) == {}
    assert stack.stop() == []
    assert "database system is shut down" in server(stack.state).log.read_text()


def test_two_commands_at_once_start_each_service_once(stack: Stack, python: Python) -> None:
    commands = [python(stack.state, "-c", ENSURE, "postgres", "sinks") for _ in range(2)]
    output = "".join(command.communicate()[0] for command in commands)
    assert [command.returncode for command in commands] == [0, 0], output
    assert ready(output.splitlines()) == ["postgres", "sinks"]
    assert set(pids(stack)) == {"postgres", "sinks"}


def test_a_service_whose_process_died_is_started_again(stack: Stack) -> None:
    stack.ensure(["sinks"])
    psutil.Process(first := pids(stack)["sinks"]).kill()
    wait_for(lambda: not stack.is_running("sinks"))
    stack.ensure(["sinks"])
    assert pids(stack)["sinks"] != first


def test_a_service_that_ended_is_named_with_its_log_and_its_dependents_restart(
    stack: Stack, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    declare = Stack._declared
    needing = ("postgres",)  # as Airflow needs it, which takes longer to start
    monkeypatch.setattr(
        Stack, "_declared", lambda self: (all_ := declare(self)) | {"sinks": replace(all_["sinks"], needs=needing)}
    )
    stack.ensure(["sinks"])
    stack.require_running(["sinks"])
    before = pids(stack)
    psutil.Process(before["postgres"]).kill()
    wait_for(lambda: not stack.is_running("postgres"))
    with pytest.raises(StackError, match=r"(?s)postgres has ended\. The end of .*postgres\.log:.*restarts it"):
        stack.require_running(["sinks"])
    stack.ensure(["sinks"])
    assert "sinks: restarting, because it needs postgres, which has ended" in messages
    assert all(pids(stack)[name] != pid for name, pid in before.items())


def test_a_log_holds_the_last_start_only(stack: Stack) -> None:
    log = stack.state.logs / "sinks.log"
    log.write_text("an earlier start\n")
    stack.ensure(["sinks"])
    assert "an earlier start" not in log.read_text()
    assert log.with_suffix(".previous.log").read_text() == "an earlier start\n"


def test_a_restart_names_what_changed(stack: Stack, messages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stack.ensure(["sinks"])
    record = Record.read(stack.state.services / "sinks.json")
    assert record
    Record(record.pid, record.created, '{"airflow.cfg": "1", "include/core/tags.py": "1"}').write(
        stack.state.services / "sinks.json"
    )
    declared = Stack._declared(stack)
    now = replace(declared["sinks"], fingerprint='{"airflow.cfg": "2", "include/core/tags.py": "1"}')
    monkeypatch.setattr(Stack, "_declared", lambda _: declared | {"sinks": now})
    stack.ensure(["sinks"])
    assert "sinks: restarting, because airflow.cfg changed" in messages


def test_another_program_on_a_services_port_is_not_mistaken_for_it(stack: Stack, messages: list[str]) -> None:
    """The other program takes the port after the stack has checked it and before the service listens."""
    port = stack.state.port("upstreams")
    with ThreadingHTTPServer(("127.0.0.1", port), Healthy) as other_server:
        Thread(target=other_server.serve_forever, daemon=True).start()
        first_check = iter([True])
        free = port_is_free
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stack_module, "port_is_free", lambda other: next(first_check, None) or free(other))
            stack.ensure(["upstreams"])
        other_server.shutdown()
    assert stack.state.port("upstreams") != port
    assert f"port {port} (upstreams) was taken by another program; using {stack.state.port('upstreams')}" in messages


def test_a_port_that_another_program_took_for_a_moment_is_used(
    stack: Stack, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = stack.state.port("upstreams")
    other = socket.create_server(("127.0.0.1", port))

    def has_ended(_: int) -> bool:
        if messages:  # the service has been started
            other.close()
        return True

    monkeypatch.setattr(stack_module, "port_is_free", has_ended)
    stack.ensure(["upstreams"])
    assert stack.state.port("upstreams") == port
    assert messages.count("starting upstreams …") == 2


class Healthy(BaseHTTPRequestHandler):
    """Another program's server, which reports that it is healthy."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def test_a_record_with_the_process_id_of_another_program_is_ignored(stack: Stack) -> None:
    record = stack.state.services / "sinks.json"
    own = Record.of(os.getpid(), "")
    Record(own.pid, own.created - 3600, "").write(record)
    assert not stack.is_running("sinks")
    assert stack.stop() == []
    Record(own.pid, own.created - 3600, "").write(record)
    stack.ensure(["sinks"])
    assert pids(stack)["sinks"] != os.getpid()


def test_a_port_taken_by_another_program_is_replaced(stack: Stack, messages: list[str]) -> None:
    stack.ensure(["sinks"])
    stack.stop()
    taken = stack.state.port("smtp")
    with socket.create_server(("127.0.0.1", taken)):
        stack.ensure(["sinks"])
    new = stack.state.port("smtp")
    assert new != taken
    assert f"port {taken} (smtp) was taken by another program; using {new}" in messages
    assert json.loads(connections(stack.state, stack.upstream)["AIRFLOW_CONN_SMTP_DEFAULT"])["port"] == new
    with socket.create_connection(("127.0.0.1", new), timeout=5) as mail:
        assert mail.recv(3) == b"220"
    stack.stop()
    stack.ensure(["sinks"])
    assert stack.state.port("smtp") == new


def test_a_start_killed_during_initdb_is_repeated(stack: Stack, python: Python) -> None:
    command = python(stack.state, "-c", ENSURE, "postgres", "sinks")
    home = server(stack.state).log.parent
    wait_for(lambda: list(home.glob("initdb-*/PG_VERSION")))
    command.send_signal(signal.SIGKILL)
    command.wait()
    stack.ensure(("postgres", "sinks"))
    with psycopg.connect(server(stack.state).uri()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert list(home.glob("initdb-*/PG_VERSION")) == []


def test_a_database_server_without_a_record_is_replaced(stack: Stack) -> None:
    stray = psutil.Process(server(stack.state).start())
    assert not stack.is_running("postgres")
    stack.ensure(["postgres"])
    assert not is_alive(stray)
    with psycopg.connect(server(stack.state).uri()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_service_that_cannot_start_is_named_with_its_log(stack: Stack) -> None:
    (stack.state.root / "alerts").touch()
    with pytest.raises(StackError, match=r"(?s)sinks ended during its start.*sinks\.log:.*NotADirectoryError"):
        stack.ensure(["sinks"])


def test_dependents_of_a_service_that_cannot_start_do_not_wait_for_it(stack: Stack) -> None:
    damaged = server(stack.state).log.parent / "data" / "PG_VERSION"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("18\n")
    with pytest.raises(StackError, match="PostgreSQL did not start"):
        stack.ensure(["mlflow"])
    assert not (stack.state.logs / "mlflow.log").exists()


def test_a_proxy_is_not_used_for_the_stacks_own_servers(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    stack.ensure(["upstreams"])
    assert stack.is_running("upstreams")


def test_the_keeper_ends_an_idle_stack_and_leaves_a_used_one_alone(stack: Stack, python: Python) -> None:
    keeper = python(stack.state, "-m", "devstack.keeper", SPELLBOOK_IDLE_SECONDS="1")
    stack.ensure(["sinks"])
    members = family(stack)
    for _ in range(15):
        stack.state.last_used.touch()
        time.sleep(0.2)
    assert keeper.poll() is None
    assert alive(members) == members
    assert keeper.communicate()[0] == "idle for 1 s: stopped sinks\n"
    assert keeper.returncode == 0
    assert alive(members) == []


def test_the_keeper_starts_without_services_and_stops_with_the_stack(stack: Stack) -> None:
    environment = os.environ | {"SPELLBOOK_STATE": str(stack.state.root)}
    log = stack.state.logs / "keeper.log"
    keeper = spawn([sys.executable, "-m", "devstack.keeper"], log, environment, REPOSITORY)
    record = Record.of(keeper, "")
    record.write(stack.state.services / "keeper.json")
    time.sleep(1.5)
    assert record.process(), log.read_text()
    assert stack.stop() == ["keeper"]
    assert record.process() is None


def test_the_upstreams_respond_at_the_connections_address(stack: Stack) -> None:
    stack.ensure(["upstreams"])
    fields = json.loads(connections(stack.state, stack.upstream)["AIRFLOW_CONN_WEATHER_DEFAULT"])
    day = {"start_date": "2024-06-01", "end_date": "2024-06-01", "latitude": "51.51", "longitude": "-0.13"}
    response = requests.get(f"{fields['host']}/v1/archive", params=day | {"hourly": "temperature_2m"}, timeout=10)
    assert len(response.json()["hourly"]["temperature_2m"]) == 24
