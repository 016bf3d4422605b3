"""Services start once, are found again, move when their port is taken, and leave nothing behind."""

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
from devstack.process import Record, lives, spawn
from devstack.stack import Stack
from devstack.state import REPOSITORY, port_is_free
from tests.integration.devstack.conftest import ENSURE, alive, family, server

Python = Callable[..., subprocess.Popen[str]]


def pids(stack: Stack) -> dict[str, int]:
    return {service.name: service.pid for service in stack.status() if service.pid}


def wait_for(condition: Callable[[], object]) -> None:
    while not condition():  # as long as the machine needs; the time limit of a test is for one that hangs
        time.sleep(0.005)


def ready(lines: Iterable[str]) -> list[str]:
    """The services that were told to be ready."""
    return sorted(line.split(":")[0] for line in lines if ": ready after" in line)


def test_a_stack_starts_once_and_leaves_no_process(stack: Stack, said: list[str]) -> None:
    assert pids(stack) == {}
    stack.ensure(("postgres", "sinks"))
    before = pids(stack)
    assert set(before) == {"postgres", "sinks"}
    assert stack.is_running("sinks")
    assert not stack.is_running("s3")
    stack.ensure(("postgres", "sinks"))
    assert pids(stack) == before
    assert said[0] == "starting postgres, sinks …"
    assert ready(said) == ["postgres", "sinks"]
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
    told = "".join(command.communicate()[0] for command in commands)
    assert [command.returncode for command in commands] == [0, 0], told
    assert ready(told.splitlines()) == ["postgres", "sinks"]
    assert set(pids(stack)) == {"postgres", "sinks"}


def test_a_service_whose_process_died_is_started_again(stack: Stack) -> None:
    stack.ensure(["sinks"])
    psutil.Process(first := pids(stack)["sinks"]).kill()
    wait_for(lambda: not stack.is_running("sinks"))
    stack.ensure(["sinks"])
    assert pids(stack)["sinks"] != first


def test_a_service_that_ended_is_named_with_its_log_and_what_needs_it_starts_again(
    stack: Stack, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    declare = Stack._declared
    needing = ("postgres",)  # as Airflow does, which takes longer to start
    monkeypatch.setattr(
        Stack, "_declared", lambda self: (found := declare(self)) | {"sinks": replace(found["sinks"], needs=needing)}
    )
    stack.ensure(["sinks"])
    stack.require_running(["sinks"])
    before = pids(stack)
    psutil.Process(before["postgres"]).kill()
    wait_for(lambda: not stack.is_running("postgres"))
    with pytest.raises(StackError, match=r"(?s)postgres has ended\. The end of .*postgres\.log:.*starts it again"):
        stack.require_running(["sinks"])
    stack.ensure(["sinks"])
    assert "sinks: postgres had ended, which it needs; starting it again" in said
    assert all(pids(stack)[name] != pid for name, pid in before.items())


def test_a_log_is_about_the_last_start(stack: Stack) -> None:
    log = stack.state.logs / "sinks.log"
    log.write_text("an earlier start\n")
    stack.ensure(["sinks"])
    assert "an earlier start" not in log.read_text()
    assert log.with_suffix(".previous.log").read_text() == "an earlier start\n"


def test_what_changed_is_named_when_a_service_is_started_again(
    stack: Stack, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert "sinks: airflow.cfg changed, which it reads once; starting it again" in said


def test_a_program_that_answers_on_a_services_port_is_not_taken_for_it(stack: Stack, said: list[str]) -> None:
    """It takes the port after the stack has found it free, and before the service listens."""
    port = stack.state.port("upstreams")
    with ThreadingHTTPServer(("127.0.0.1", port), Healthy) as foreign:
        Thread(target=foreign.serve_forever, daemon=True).start()
        looked = iter([True])
        free = port_is_free
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stack_module, "port_is_free", lambda other: next(looked, None) or free(other))
            stack.ensure(["upstreams"])
        foreign.shutdown()
    assert stack.state.port("upstreams") != port
    assert f"port {port} (upstreams) was taken by another program; using {stack.state.port('upstreams')}" in said


class Healthy(BaseHTTPRequestHandler):
    """Another program's server, which says that it is well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def test_a_record_whose_process_id_now_belongs_to_another_program_is_ignored(stack: Stack) -> None:
    record = stack.state.services / "sinks.json"
    mine = Record.of(os.getpid(), "")
    Record(mine.pid, mine.created - 3600, "").write(record)
    assert not stack.is_running("sinks")
    assert stack.stop() == []
    Record(mine.pid, mine.created - 3600, "").write(record)
    stack.ensure(["sinks"])
    assert pids(stack)["sinks"] != os.getpid()


def test_a_port_that_another_program_took_is_chosen_anew(stack: Stack, said: list[str]) -> None:
    stack.ensure(["sinks"])
    stack.stop()
    taken = stack.state.port("smtp")
    with socket.create_server(("127.0.0.1", taken)):
        stack.ensure(["sinks"])
    new = stack.state.port("smtp")
    assert new != taken
    assert f"port {taken} (smtp) was taken by another program; using {new}" in said
    assert json.loads(connections(stack.state, stack.upstream)["AIRFLOW_CONN_SMTP_DEFAULT"])["port"] == new
    with socket.create_connection(("127.0.0.1", new), timeout=5) as mail:
        assert mail.recv(3) == b"220"
    stack.stop()
    stack.ensure(["sinks"])
    assert stack.state.port("smtp") == new


def test_a_start_killed_while_the_cluster_is_made_is_made_good(stack: Stack, python: Python) -> None:
    command = python(stack.state, "-c", ENSURE, "postgres", "sinks")
    home = server(stack.state).log.parent
    wait_for(lambda: list(home.glob("initdb-*/PG_VERSION")))
    command.send_signal(signal.SIGKILL)
    command.wait()
    stack.ensure(("postgres", "sinks"))
    with psycopg.connect(server(stack.state).uri()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert list(home.glob("initdb-*/PG_VERSION")) == []


def test_a_database_server_without_a_record_is_taken_over(stack: Stack) -> None:
    stray = psutil.Process(server(stack.state).start())
    assert not stack.is_running("postgres")
    stack.ensure(["postgres"])
    assert not lives(stray)
    with psycopg.connect(server(stack.state).uri()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_service_that_cannot_start_is_named_with_its_log(stack: Stack) -> None:
    (stack.state.root / "alerts").touch()
    with pytest.raises(StackError, match=r"(?s)sinks ended while it started.*sinks\.log:.*NotADirectoryError"):
        stack.ensure(["sinks"])


def test_what_needs_a_service_that_cannot_start_does_not_wait_for_it(stack: Stack) -> None:
    damaged = server(stack.state).log.parent / "data" / "PG_VERSION"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("18\n")
    with pytest.raises(StackError, match="PostgreSQL did not start"):
        stack.ensure(["mlflow"])
    assert not (stack.state.logs / "mlflow.log").exists()


def test_a_proxy_is_not_asked_for_the_stacks_own_servers(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_keeper_waits_for_the_first_service_and_goes_with_the_last(stack: Stack) -> None:
    environment = os.environ | {"SPELLBOOK_STATE": str(stack.state.root)}
    log = stack.state.logs / "keeper.log"
    keeper = spawn([sys.executable, "-m", "devstack.keeper"], log, environment, REPOSITORY)
    record = Record.of(keeper, "")
    record.write(stack.state.services / "keeper.json")
    time.sleep(1.5)
    assert record.process(), log.read_text()
    assert stack.stop() == ["keeper"]
    assert record.process() is None


def test_the_upstreams_answer_where_the_connection_points(stack: Stack) -> None:
    stack.ensure(["upstreams"])
    fields = json.loads(connections(stack.state, stack.upstream)["AIRFLOW_CONN_WEATHER_DEFAULT"])
    day = {"start_date": "2024-06-01", "end_date": "2024-06-01", "latitude": "51.51", "longitude": "-0.13"}
    answer = requests.get(f"{fields['host']}/v1/archive", params=day | {"hourly": "temperature_2m"}, timeout=10)
    assert len(answer.json()["hourly"]["temperature_2m"]) == 24
