"""The state kept between runs, and the errors if it can't be used."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest

from devstack import state as state_module
from devstack.errors import StackError
from devstack.process import Record, spawn
from devstack.state import MINIMUM_FREE_BYTES, STATE_VARIABLE, State, free_port


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state")


def disk_with(free: int) -> object:
    return lambda _: shutil._ntuple_diskusage(free, 0, free)


def test_the_variable_chooses_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "deep" / "elsewhere"))
    assert State.open().root == tmp_path / "deep" / "elsewhere"


def test_a_record_finds_its_process_again(tmp_path: Path) -> None:
    Record.of(os.getpid(), "print").write(tmp_path / "record.json")
    record = Record.read(tmp_path / "record.json")
    assert record
    assert record.fingerprint == "print"
    assert record.process() == psutil.Process()


def test_a_record_of_an_ended_process_is_stale() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        record = Record.of(child.pid, "")
        assert record.process()
    assert record.process() is None


def test_a_zombie_process_counts_as_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        record = Record.of(child.pid, "")
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert record.process() is None


def test_a_later_process_with_the_same_id_is_a_different_one() -> None:
    own = Record.of(os.getpid(), "")
    assert Record(own.pid, own.created - 60, "").process() is None


@pytest.mark.parametrize("content", ["", '{"pid": 1, "cre', "[]", '{"pid": 1}', "null"])
def test_a_truncated_record_is_ignored(tmp_path: Path, content: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(content)
    assert Record.read(path) is None


def readable_by_others(root: Path) -> list[str]:
    """Files and folders below ``root`` that others can read, not counting those in folders that they can't enter."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name).stat().st_mode & stat.S_IXOTH]
        paths = [Path(folder), *(Path(folder, name) for name in files)]
        found += [str(path) for path in paths if path.stat().st_mode & stat.S_IROTH]
    return found


def test_others_can_read_nothing(tmp_path: Path) -> None:
    """Files of an earlier version, of the stack's commands and of its services."""
    root = tmp_path / "state"
    (root / "logs").mkdir(parents=True)
    (root / "logs" / "airflow.log").write_text("secret")
    (root / "services").mkdir()
    previous = os.umask(0o022)
    try:
        state = State.open(root)
        state.secret("slack")
        state.port("api")
        Record.of(os.getpid(), "").write(state.services / "airflow.json")
        write = "from pathlib import Path; Path('alerts').mkdir(); Path('alerts/mail').touch(); Path('spool').touch()"
        child = spawn([sys.executable, "-c", write], state.logs / "sinks.log", os.environ, root)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        os.umask(previous)
    others = {Path(path).name for path in readable_by_others(root)}
    assert others <= {"lock", "last-used", "secrets.lock", "ports.lock"}, "files without content"
    assert all(not Path(path).read_text() for path in readable_by_others(root))
    assert root.stat().st_mode & stat.S_IXOTH, "root's PostgreSQL has an account of its own"


def test_secrets_differ_and_only_their_owner_reads_them(state: State, tmp_path: Path) -> None:
    names = ("postgres", "slack", "jwt")
    own = [state.secret(name) for name in names]
    other = [State.open(tmp_path / "other").secret(name) for name in names]
    assert len({*own, *other}) == 6
    assert [state.secret(name) for name in names] == own
    assert min(map(len, own)) >= 32
    assert stat.S_IMODE((state.root / "secrets.json").stat().st_mode) == 0o600


def test_concurrent_commands_agree_on_a_secret(state: State) -> None:
    program = "from devstack.state import State; [print(State.open().secret(f'n{i}')) for i in range(20)]"
    environment = os.environ | {STATE_VARIABLE: str(state.root), "PYTHONPATH": str(state_module.REPOSITORY)}

    def command(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout

    with ThreadPoolExecutor(4) as pool:
        outputs = set(pool.map(command, range(4)))
    assert outputs == {"\n".join(json.loads((state.root / "secrets.json").read_text()).values()) + "\n"}


@pytest.mark.parametrize("content", ["", '{"postgres": 54', "[]", "null"])
@pytest.mark.parametrize("file", ["secrets.json", "ports.json"])
def test_a_corrupt_file_is_named_with_the_fix(state: State, file: str, content: str) -> None:
    (state.root / file).write_text(content)
    read = state.secret if file == "secrets.json" else state.port
    with pytest.raises(StackError, match=r"is corrupt.*`make clean` deletes the state") as refusal:
        read("postgres")
    assert str(state.root / file) in str(refusal.value)


def test_a_nearly_full_disk_is_refused_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", disk_with(MINIMUM_FREE_BYTES - 1))
    with pytest.raises(StackError, match=r"has 500 MB free; the stack needs 500 MB.*Free some space.*another disk"):
        State.open(tmp_path / "state")
    monkeypatch.setattr(shutil, "disk_usage", disk_with(MINIMUM_FREE_BYTES))
    State.open(tmp_path / "state")


def test_commands_that_free_space_work_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", disk_with(0))
    State.open(tmp_path / "state", for_use=False)


def test_reading_the_state_does_not_count_as_use(state: State) -> None:
    os.utime(state.last_used, (1, 1))
    State.open(state.root, for_use=False)
    assert state.last_used.stat().st_mtime == 1
    State.open(state.root)
    assert state.last_used.stat().st_mtime > 1


def test_a_full_disk_is_distinguished_from_other_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StackError, match="has 0 MB free"):
        State.open(tmp_path / "state")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=rf"{tmp_path}/file can't be the state folder.*{STATE_VARIABLE}"):
        State.open(tmp_path / "file")


def test_no_two_services_get_the_same_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was assigned is not assigned again, even if nothing listens there yet."""
    monkeypatch.setattr(state_module, "PORTS", range(50001, 50004))
    monkeypatch.setattr(socket, "create_server", lambda _: nullcontext())
    state = State.open(tmp_path / "state")
    names = ("slack", "smtp", "s3")
    ports = [state.port(name) for name in names]
    assert sorted(ports) == [50001, 50002, 50003]
    assert [state.port(name) for name in names] == ports
    with pytest.raises(StackError, match="no free TCP port"):
        state.port("api")


def test_ports_are_outside_the_ephemeral_range() -> None:
    """Such a connection could hold the port when the stack's server starts."""
    assert all(port < 32768 for port in (free_port() for _ in range(50)))
