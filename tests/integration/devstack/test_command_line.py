"""``python -m devstack`` without Airflow: wrong use, nothing running, and cleaning up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.__main__ import main
from devstack.stack import Stack
from devstack.state import REPOSITORY, STATE_VARIABLE, State
from tests.integration.devstack.conftest import alive, family, server

Command = Callable[..., tuple[object, str]]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of the command; not there yet."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path) -> Command:
    """Carry out a command; return its exit code and all that it printed."""
    del root

    def carry_out(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["devstack", *arguments])
        try:
            code: object = main()
        except SystemExit as end:
            code = end.code
        return code, "".join(capsys.readouterr())

    return carry_out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--date nonsense", "argument --date: 'nonsense' is not a day; write it as 2024-06-01"),
        ("--date 2024-02-30", "'2024-02-30' is not a day"),
        ("--as weekly", "argument --as: 'weekly' is none of manual, scheduled, backfill, asset"),
        ("--conf [1]", """argument --conf: a JSON object is wanted, as {"key": 1}; got [1]"""),
        ("--conf {", "argument --conf: not JSON: "),
        ("--as backfill --date 2024-06-02 --to 2024-06-01", "TO=2024-06-01 is before DATE=2024-06-02"),
        ("--date 2024-06-01 --to 2024-06-02", "TO=2024-06-02 needs AS=backfill; AS=manual makes one run"),
        ("--as backfill --to 2024-06-02", "TO=2024-06-02 needs a DATE"),
    ],
)
def test_wrong_use_is_told_before_anything_starts(command: Command, root: Path, arguments: str, told: str) -> None:
    code, output = command("run", *arguments.split())
    assert code in {1, 2}
    assert told in output
    assert "Traceback" not in output
    assert not root.exists()


def test_the_module_gives_the_exit_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devstack", "run", "--as", "weekly"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "manual, scheduled, backfill, asset" in done.stderr


def test_nothing_runs(command: Command, root: Path) -> None:
    code, output = command("status")
    assert code == 0
    assert str(root) in output
    assert "runs (" not in output
    assert output.count("stopped") == 8
    assert command("down") == (0, "nothing was running\n")


def test_status_tells_what_runs_and_is_no_use_of_it(command: Command, root: Path) -> None:
    stack = Stack(State.open(root), durable=False)
    try:
        stack.ensure(["sinks"])
        os.utime(stack.state.last_used, (1, 1))
        code, output = command("status")
        assert code == 0
        assert f"smtp {stack.state.port('smtp')}" in output
        assert output.count("runs (") == 1
        assert "idle since 0 s" not in output
        assert command("down") == (0, "stopped: sinks\n")
    finally:
        stack.stop()


def test_clean_of_nothing(command: Command, root: Path) -> None:
    assert command("clean")[0] == 0
    assert not root.exists()


def test_clean_removes_everything_even_what_is_damaged(command: Command, root: Path, said: list[str]) -> None:
    stack = Stack(State.open(root), durable=False, say=said.append)
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


def test_a_damaged_state_is_told_with_the_fix(command: Command, root: Path) -> None:
    (State.open(root).root / "ports.json").write_text("{")
    code, output = command("status")
    assert code == 1
    assert f"{root}/ports.json is damaged" in output
    assert "`make clean` starts afresh" in output
