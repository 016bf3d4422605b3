"""Each broken set-up gets its diagnosis; a healthy one gets none."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import stat
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest

from devstack.doctor import __main__ as doctor
from devstack.doctor import checkout, machine, settings, stack
from devstack.doctor.setup import Check, Problem, Setup
from devstack.process import Record
from devstack.state import REPOSITORY, State

COPIED = ("airflow.cfg", "requirements.in", "requirements.txt", "requirements", ".env.example", "plugins", "include")
ENV = '# mine\nexport SPELLBOOK_RETAIL=file:///tills\nAIRFLOW_CONN_SHOP=\'{"conn_type": "generic"}\'\n'
Memory = namedtuple("Memory", "available")
Disk = namedtuple("Disk", "free")
Version = namedtuple("Version", "major minor micro")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The part of a checkout that is examined."""
    root = tmp_path_factory.mktemp("pristine")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", "data", "dbt"))
        else:
            shutil.copy(source, root / name)
    for name in ("dags", "docs"):
        (root / name).mkdir()
    (root / "dags/shop.py").write_text("x = 1\n")
    return root


@pytest.fixture
def setup(pristine: Path, tmp_path: Path) -> Setup:
    """A healthy checkout with settings of its own and an idle state folder."""
    root = tmp_path / "checkout"
    shutil.copytree(pristine, root)
    (root / ".env").write_text(ENV)
    state = State.open(tmp_path / "state")
    return Setup(root, {"PATH": os.environ["PATH"]}, state)


def found(check: Check, setup: Setup) -> Problem:
    [problem] = doctor.problems(check, setup)
    assert problem.fix
    return problem


def docker(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, memory: int = 8_000_000_000, version: str = "2.30.1"
) -> None:
    """Put a ``docker`` on PATH, whose engine answers."""
    program = folder / "bin/docker"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f"case \"$1\" in info) echo '{json.dumps({'MemTotal': memory})}';; compose) echo {version};; ps) echo;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


@pytest.mark.parametrize("check", doctor.CHECKS, ids=doctor.name)
def test_nothing_is_wrong_with_a_healthy_set_up(check: Check, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(monkeypatch, setup.root)
    monkeypatch.setattr(machine, "port_is_free", lambda _: True)
    assert doctor.problems(check, setup) == []


@pytest.mark.parametrize("check", doctor.CHECKS, ids=doctor.name)
def test_nothing_is_wrong_before_the_first_run(check: Check, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "port_is_free", lambda _: True)
    (setup.root / ".env").unlink()
    shutil.rmtree(setup.state.root)
    assert doctor.problems(check, setup) == []
    assert not setup.state.root.exists()


def edit(file: str, old: str, new: str) -> Callable[[Setup], None]:
    """Return what replaces a text in a file."""

    def change(setup: Setup) -> None:
        path = setup.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def env(line: str) -> Callable[[Setup], None]:
    """Return what adds a line to ``.env``."""

    def change(setup: Setup) -> None:
        (setup.root / ".env").write_text(f"{ENV}{line}\n")

    return change


def write(file: str, content: bytes) -> Callable[[Setup], None]:
    """Return what writes a file of the checkout, or of the state folder."""

    def change(setup: Setup) -> None:
        path = setup.state.root / file.removeprefix("state/") if file.startswith("state/") else setup.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return change


def remove_metadata(setup: Setup) -> None:
    [folder] = (setup.root / "plugins").glob("*.dist-info")
    shutil.rmtree(folder)


def occupy(setup: Setup) -> None:
    shutil.rmtree(setup.state.root)
    setup.state.root.mkdir()
    (setup.state.root / "thesis.txt").write_text("mine")


def end_a_service(setup: Setup) -> None:
    Record.of(os.getpid(), "").write(setup.state.services / "postgres.json")
    Record(2**22 + 1, 0.0, "").write(setup.state.services / "sinks.json")


def date_the_lock(setup: Setup) -> None:
    os.utime(setup.root / "requirements.txt", (time.time() + 90 * 86_400,) * 2)


BROKEN: list[tuple[Check, Callable[[Setup], None], str, str]] = [
    (machine.clock, date_the_lock, "requirements.txt is from 90 days in the future", "set the clock"),
    (
        checkout.locks,
        edit("requirements.in", "pandas==3.1.1", "pandas==99.1"),
        "out of date with requirements.in: pandas==99.1",
        "make lock",
    ),
    (
        checkout.locks,
        edit("requirements/dev.in", "psutil==7.*", "no-such-package==1.*"),
        "requirements/dev.txt is out of date",
        "make lock",
    ),
    (checkout.packages, edit("requirements/dev.txt", "psutil==", "psutil==0."), "psutil 0.", "make install"),
    (
        checkout.plugins,
        write("plugins/spellbook_plugin.py", b"import no_such_module\n"),
        "No module named 'no_such_module'",
        "correct that line",
    ),
    (checkout.plugins, write("plugins/airflow_local_settings.py", b"def (:\n"), "SyntaxError", "correct that line"),
    (checkout.plugins, remove_metadata, "dist-info is missing", "git checkout plugins"),
    (settings.env_file, write(".env", b"SPELLBOOK_RETAIL=\xff"), ".env can't be read", "UTF-8"),
    (settings.env_file, env("SPELLBOOK_RETAIL file:///x"), ".env, line 4: sets nothing", "NAME=value"),
    (
        settings.env_file,
        env("SPELLBOOK_RETAIL_BUKET=x"),
        "SPELLBOOK_RETAIL_BUKET means nothing",
        "did you mean SPELLBOOK_RETAIL_BUCKET?",
    ),
    (settings.keys, env("SPELLBOOK_STRICT=yes"), "SPELLBOOK_STRICT='yes' is neither true nor false", "false"),
    (
        settings.keys,
        env("SPELLBOOK_UPSTREAM=offline"),
        "SPELLBOOK_UPSTREAM='offline' isn't allowed",
        "live, replay, auto",
    ),
    (
        settings.fernet_key,
        env("SPELLBOOK_FERNET_KEY=c2hvcnQ="),
        "SPELLBOOK_FERNET_KEY in the environment or .env: not 32 bytes",
        "restore",
    ),
    (
        settings.fernet_key,
        write("deploy/secrets/fernet-key", b"nonsense\n"),
        "deploy/secrets/fernet-key: not 32 bytes",
        "restore",
    ),
    (settings.connections, env("AIRFLOW_CONN_BANK=s3cret"), "AIRFLOW_CONN_BANK is neither a URI nor", "write it like"),
    (stack.state_folder, write("state/ports.json", b"{"), "ports.json is damaged", "make clean"),
    (stack.state_folder, write("state/secrets.json", b"[]"), "secrets.json is damaged", "make clean"),
    (stack.state_folder, occupy, "holds files that aren't the stack's", "set SPELLBOOK_STATE to a new folder"),
    (stack.state_folder, write("state/ports.json", b'{"api": "8080"}'), "ports.json is damaged", "make clean"),
    (stack.state_folder, write("state/secrets.json", b'{"fernet": "s3cret"}'), "secrets.json is damaged", "make clean"),
    (
        stack.state_folder,
        write("state/postgres/PG_VERSION", b"18"),
        "secrets.json doesn't have its password",
        "restore",
    ),
    (settings.env_file, env("AIRFLOW_CONN_shop=http://x"), "doesn't read AIRFLOW_CONN_shop", "AIRFLOW_CONN_SHOP"),
    (settings.keys, env("SPELLBOOK_XCOM_LIMIT=s"), "SPELLBOOK_XCOM_LIMIT='s' isn't a whole number", "Leave it out"),
    (settings.keys, env("SPELLBOOK_WAREHOUSE_SCHEMA=My-S"), "'My-S' isn't a schema's name", "lower-case"),
    (settings.keys, env("SPELLBOOK_PRIVATE_NETWORKS=foo"), "'foo' isn't a network", "172.16.0.0/12"),
    (settings.keys, env("SPELLBOOK_WORKER_CONCURRENCY=s3cret"), "SPELLBOOK_WORKER_CONCURRENCY isn't a whole", "=4"),
    (settings.keys, env("SPELLBOOK_MAX_CONNECTIONS=0"), "SPELLBOOK_MAX_CONNECTIONS isn't a whole", "=150"),
    (settings.keys, env("SPELLBOOK_COOKIE_SECURE=s3cret"), "SPELLBOOK_COOKIE_SECURE is neither true", "leave it out"),
    (
        settings.warehouse,
        env("AIRFLOW_CONN_POSTGRES_DEFAULT='postgres://u:p@127.0.0.1:1/d?sslmode=s3cret'"),
        "invalid sslmode value: …",
        "options",
    ),
    (machine.compose_port, env("SPELLBOOK_PORT=s3cret"), "SPELLBOOK_PORT isn't a port", "8080"),
    (
        settings.warehouse,
        env("AIRFLOW_CONN_POSTGRES_DEFAULT=postgres://u:s3cret/a@h/d"),
        "isn't a valid URI",
        "correct",
    ),
    (
        settings.warehouse,
        env("AIRFLOW_CONN_POSTGRES_DEFAULT=postgres://u:s3cret[a@h/d"),
        "isn't a valid URI",
        "correct",
    ),
    (settings.connections, env("AIRFLOW_CONN_BANK=http://me:s3cret@h:x/"), "host and port aren't valid", "correct"),
    (stack.services, end_a_service, "sinks has ended", "restarts it"),
]


@pytest.mark.parametrize(
    ("check", "breaks", "cause", "fix"), BROKEN, ids=[f"{doctor.name(case[0])}-{case[2]}" for case in BROKEN]
)
def test_what_is_broken_is_diagnosed(
    setup: Setup, check: Check, breaks: Callable[[Setup], None], cause: str, fix: str
) -> None:
    breaks(setup)
    problem = found(check, setup)
    assert cause in problem.cause
    assert fix in problem.fix
    assert "s3cret" not in problem.cause + problem.fix


def test_an_env_file_that_compose_passes_over_is_found(setup: Setup) -> None:
    setup = replace(setup, environment={"COMPOSE_ENV_FILES": "deploy/demo.env"})
    problem = found(settings.env_file_is_used, setup)
    assert problem.fix == "export COMPOSE_ENV_FILES=.env,deploy/demo.env"


@pytest.mark.parametrize(
    ("check", "place", "name", "value", "cause"),
    [
        (machine.python_version, sys, "version_info", (3, 10, 4), ".venv has Python 3.10"),
        (machine.memory, psutil, "virtual_memory", lambda: Memory(10**9), "1.0 GB of memory are free"),
        (machine.disk, shutil, "disk_usage", lambda _: Disk(10**7), "has 10 MB free"),
    ],
)
def test_a_machine_that_lacks_something(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, check: Check, place: Any, name: str, value: Any, cause: str
) -> None:
    monkeypatch.setattr(place, name, value)
    assert cause in found(check, setup).cause


def test_an_engine_with_little_memory_is_found(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(monkeypatch, setup.root, memory=2_000_000_000)
    assert "2.0 GB" in found(machine.engine_memory, setup).cause


def test_an_old_compose_is_found(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(monkeypatch, setup.root, version="v2.17.3-desktop.1")
    assert "2.17.3" in found(machine.compose_version, setup).cause


def test_a_taken_port_is_found(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(monkeypatch, setup.root)
    monkeypatch.setattr(machine, "port_is_free", lambda port: port != 9000)
    env("SPELLBOOK_PORT=9000")(setup)
    assert "port 9000 is taken" in found(machine.compose_port, setup).cause


def test_a_command_that_holds_the_lock_is_found(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "PATIENCE", 0.2)
    with (setup.state.root / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert "another command has been starting" in found(stack.lock, setup).cause


def test_a_start_that_makes_progress_is_healthy(setup: Setup) -> None:
    log, stopping = setup.state.logs / "airflow.log", Event()

    log.touch()

    def write() -> None:
        with log.open("a") as stream:
            while not stopping.wait(0.01):
                print("importing", file=stream, flush=True)

    with (setup.state.root / "lock").open("a") as handle, ThreadPoolExecutor() as pool:
        fcntl.flock(handle, fcntl.LOCK_EX)
        pool.submit(write)
        try:
            assert doctor.problems(stack.lock, setup) == []
        finally:
            stopping.set()


@pytest.fixture
def unreadable(setup: Setup) -> Iterator[Path]:
    """A DAG file that only its owner could read."""
    file = setup.root / "dags/shop.py"
    file.chmod(0)
    yield file
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_a_file_that_cannot_be_read_is_found(setup: Setup, unreadable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:  # who may read everything
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != unreadable or mode != os.R_OK)
    assert "dags/shop.py can't be read" in found(checkout.permissions, setup).cause


def test_a_folder_that_cannot_be_written_is_found(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = setup.root / "dags"
    folder.chmod(0o500)
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder or mode != os.W_OK)
    assert f"{folder} can't be written" in found(checkout.permissions, setup).cause
    folder.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_found(setup: Setup) -> None:
    os.chown(setup.state.root / "last-used", pwd.getpwnam("nobody").pw_uid, -1)
    problem = found(stack.owner, setup)
    assert "last-used belongs to user" in problem.cause
    assert "chown" in problem.fix


def test_a_check_that_fails_is_a_finding(setup: Setup) -> None:
    (setup.root / "requirements.in").unlink()
    assert "checkout.locks failed: [Errno 2]" in found(checkout.locks, setup).cause


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_the_command_prints_what_it_finds(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr(doctor, "Setup", lambda: setup)
    monkeypatch.setattr(doctor, "CHECKS", (settings.keys, settings.env_file))
    monkeypatch.setattr(sys, "argv", ["doctor", *arguments])
    assert doctor.main() == 0
    env("SPELLBOOK_STRICT=yes")(setup)
    capsys.readouterr()
    assert doctor.main() == 1
    output = capsys.readouterr().out
    if arguments:
        [item] = json.loads(output)
        assert item.keys() == {"check", "cause", "fix"}
        assert item["check"] == "settings.keys"
    else:
        assert "✗ SPELLBOOK_STRICT='yes'" in output
