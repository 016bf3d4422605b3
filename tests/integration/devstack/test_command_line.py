"""``python -m devstack`` without Airflow: wrong usage, nothing running, and cleaning up."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from devstack import own_settings
from devstack.__main__ import main
from devstack.exits import Exit
from devstack.postgres import Postgres
from devstack.run_document import RunDocument
from devstack.stack import Stack
from devstack.state import REPOSITORY, STATE_VARIABLE, State, free_port
from devstack.status import StatusDocument
from include.core.settings import POSTGRES
from tests.integration.devstack.conftest import alive, family, server

Command = Callable[..., tuple[object, str]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of the command, which doesn't exist yet."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(own_settings, "FILE", tmp_path / ".env")
    return tmp_path / "state"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path) -> Command:
    """Run a command; return its exit code and output."""
    del root

    def execute(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["devstack", *arguments])
        try:
            code: object = main()
        except SystemExit as end:
            code = end.code
        return code, "".join(capsys.readouterr())

    return execute


def status_of(command: Command) -> dict[str, Any]:
    code, output = command("status", "--json")
    document: dict[str, Any] = json.loads(output)
    jsonschema.validate(document, StatusDocument.model_json_schema(mode="serialization"))
    assert code == Exit.OK
    return document


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--date nonsense", "argument --date: 'nonsense' is not a valid date; use YYYY-MM-DD, such as 2024-06-01"),
        ("--date 2024-02-30", "'2024-02-30' is not a valid date"),
        ("--as weekly", "argument --as: 'weekly' is not one of manual, scheduled, backfill, asset"),
        ("--conf [1]", """argument --conf: expected a JSON object such as {"key": 1}, got [1]"""),
        ("--conf {", "argument --conf: not JSON: "),
        ("--as backfill --date 2024-06-02 --to 2024-06-01", "TO=2024-06-01 is before DATE=2024-06-02"),
        ("--date 2024-06-01 --to 2024-06-02", "TO=2024-06-02 needs AS=backfill; AS=manual creates a single run"),
        ("--as backfill --to 2024-06-02", "TO=2024-06-02 needs a DATE"),
    ],
)
def test_wrong_usage_is_reported_before_anything_starts(
    command: Command, root: Path, arguments: str, message: str
) -> None:
    code, output = command("run", *arguments.split())
    assert code == Exit.USAGE
    assert message in output
    assert "Traceback" not in output
    assert not root.exists()


def test_a_warehouse_of_ones_own_must_be_migrated(
    command: Command, root: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"own_{secrets.token_hex(4)}"
    postgres.create_database(name)
    monkeypatch.setenv(POSTGRES.variable, postgres.uri(name))
    code, output = command("run")
    assert code == Exit.MACHINE
    assert "postgres_default: from the environment" in output
    assert "platform tables in schema public have version none" in output
    assert "make migrate" in output
    assert not (root / "services/airflow.json").exists()
    try:
        assert command("migrate")[0] == 0
        assert "spellbook_version" in command("sql")[1]
    finally:
        command("clean")
    with psycopg.connect(postgres.uri(name)) as connection:
        assert connection.execute("SELECT count(*) FROM spellbook_version").fetchone() == (1,)


def test_a_warehouse_of_ones_own_that_does_not_answer_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POSTGRES.variable, f"postgresql://me:s3cret@127.0.0.1:{free_port()}/own")
    code, output = command("run")
    assert code == Exit.MACHINE
    assert "postgres_default: connection failed" in output
    assert "s3cret" not in output


@pytest.mark.parametrize(
    ("arguments", "upstream", "ended"),
    [("--date 2024-06-01 --to 2024-06-02", "", "usage"), ("", "nowhere", "usage"), ("", "replay", "machine")],
)
def test_a_run_that_never_began_is_one_json_document(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: str,
    upstream: str,
    ended: str,
) -> None:
    monkeypatch.setenv("SPELLBOOK_UPSTREAM", upstream)
    monkeypatch.setenv(POSTGRES.variable, f"postgresql://me:s3cret@127.0.0.1:{free_port()}/own")
    monkeypatch.setattr(sys, "argv", ["devstack", "run", "my_first_spell", "--json", *arguments.split()])
    code = main()
    printed = capfd.readouterr()
    document = json.loads(printed.out)
    jsonschema.validate(document, RunDocument.model_json_schema(mode="serialization"))
    assert (document["ended"], document["runs"], Exit[ended.upper()]) == (ended, [], code)
    assert document["error"].expandtabs() in printed.err
    assert "s3cret" not in printed.out + printed.err
    assert not (root / "services/airflow.json").exists()


def test_the_module_gives_the_exit_code() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "devstack", "run", "--as", "weekly"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert "manual, scheduled, backfill, asset" in process.stderr


def test_status_and_down_without_a_running_service(command: Command, root: Path) -> None:
    code, output = command("status")
    assert code == 0
    assert str(root) in output
    assert "running" not in output
    assert output.count("stopped") == 8
    assert command("down") == (0, "nothing was running\n")
    document = status_of(command)
    assert {service["state"] for service in document["services"]} == {"stopped"}
    assert (document["root"], document["up"], document["waiting"]) == (str(root), None, [])


def test_status_lists_running_services_and_does_not_count_as_use(command: Command, root: Path) -> None:
    stack = Stack(State.open(root), durable=False)
    try:
        stack.ensure(["sinks"])
        os.utime(stack.state.last_used, (1, 1))
        code, output = command("status")
        assert code == 0
        assert f"smtp {stack.state.port('smtp')}" in output
        assert output.count("running (") == 1
        assert "idle since 0 s" not in output
        document = status_of(command)
        [sinks] = [service for service in document["services"] if service["state"] == "running"]
        assert (sinks["name"], sinks["ports"]["smtp"]) == ("sinks", stack.state.port("smtp"))
        assert Path(sinks["log"]).is_file()
        stack.state.note_waiting()
        assert [waiting["pid"] for waiting in status_of(command)["waiting"]] == [os.getpid()]
        assert command("down") == (0, "stopped: sinks\n")
    finally:
        stack.stop()


def test_clean_without_a_state_folder(command: Command, root: Path) -> None:
    assert command("clean")[0] == 0
    assert not root.exists()


def test_clean_removes_everything_even_corrupt_files(command: Command, root: Path, messages: list[str]) -> None:
    stack = Stack(State.open(root), durable=False, say=messages.append)
    home = server(stack.state).log.parent
    try:
        stack.ensure(["postgres"])
        members = family(stack)
        assert home.exists()
        (root / "secrets.json").write_text("{")
        (root / "ports.json").write_text("{")
        code, output = command("clean")
        assert (code, output) == (0, f"stopped: postgres\nremoved {root}\n")
        assert alive(members) == []
    finally:
        if root.exists():
            stack.stop()
            server(stack.state).remove()
    assert not root.exists()
    assert not home.exists()


def test_a_corrupt_state_is_reported_with_the_fix(command: Command, root: Path) -> None:
    (State.open(root).root / "ports.json").write_text("{")
    code, output = command("status")
    assert code == Exit.MACHINE
    assert f"{root}/ports.json is corrupt" in output
    assert "`make clean` deletes the state" in output
