"""Checks of the embedded stack's state folder and services."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from devstack.doctor.setup import Problem, Setup
from devstack.postgres import WAREHOUSE, Postgres
from devstack.process import Record
from devstack.state import STATE_VARIABLE
from devstack.waiting import Activity
from include.core.warehouse.connect import connect
from include.core.warehouse.errors import NotMigratedError
from include.core.warehouse.migrations import require_migrated

PATIENCE = 10.0  # seconds for which another command may hold the lock without progress


def state_folder(setup: Setup) -> Iterator[Problem]:
    """The state folder is one, and its files are whole; nothing is written to it."""
    root = setup.state.root
    elsewhere = f"set {STATE_VARIABLE} to a new folder"
    if root.exists() and not root.is_dir():
        yield Problem(f"{root} isn't a folder", elsewhere)
    elif root.is_dir() and not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        yield Problem(f"{root} can't be read and written", f"make it yours with chown, or {elsewhere}")
    elif root.is_dir() and any(root.iterdir()) and not setup.state.services.exists():
        yield Problem(f"{root} holds files that aren't the stack's", elsewhere)
    elif root.is_dir():
        for name, is_valid in FILES.items():
            content = setup.state_file(name)
            if (root / name).exists() and not (content and all(map(is_valid, content.items()))):
                yield Problem(f"{root / name} is damaged", "`make clean`; the next `make run` starts afresh")
        if (root / "postgres").is_dir() and "postgres" not in setup.state_file("secrets.json"):
            yield Problem(
                f"{root} has a database, but secrets.json doesn't have its password",
                "restore the file, or `make clean`, which deletes the database too",
            )


def _is_port(item: tuple[str, Any]) -> bool:
    return isinstance(item[1], int)


def _is_secret(item: tuple[str, Any]) -> bool:
    name, value = item
    try:
        return isinstance(value, str) and (name != "fernet" or bool(Fernet(value)))
    except ValueError:
        return False


FILES: dict[str, Callable[[tuple[str, Any]], bool]] = {"ports.json": _is_port, "secrets.json": _is_secret}
"""The state folder's files, and whether an entry is valid."""


def owner(setup: Setup) -> Iterator[Problem]:
    """Everything in the state folder is one user's: `sudo make run` leaves files of root."""
    mine = os.geteuid()
    for folder, names, files in os.walk(setup.state.root):
        names[:] = [name for name in names if name != "postgres"]  # as root, the server has a user of its own
        for name in (*names, *files):
            path = Path(folder, name)
            if (uid := path.lstat().st_uid) != mine:
                yield Problem(
                    f"{path} belongs to user {uid}, not to you ({mine})",
                    f"`sudo chown -R {mine} '{setup.state.root}'`, and run make as one user only",
                )
                return


def lock(setup: Setup) -> Iterator[Problem]:
    """No command has been starting or stopping services without progress; on a busy machine, a start is slow."""
    path = setup.state.root / "lock"
    if not path.is_file() or not os.access(path, os.W_OK):
        return
    until = time.monotonic() + PATIENCE
    activity = Activity(list(setup.state.services.glob("*.json")), list(setup.state.logs.glob("*.log")))
    before = activity()
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if activity() > before:
                    return
                if time.monotonic() < until:
                    time.sleep(0.1)
                    continue
                yield Problem(
                    f"another command has been starting or stopping this stack for {PATIENCE:.0f} s without progress",
                    "wait for it, or end it: `pgrep -fa devstack` lists such commands",
                )
            return


def services(setup: Setup) -> Iterator[Problem]:
    """No service has ended while others run."""
    records = {path.stem: Record.read(path) for path in sorted(setup.state.services.glob("*.json"))}
    running = {name for name, record in records.items() if record and record.process()}
    for name in sorted(records.keys() - running - {"up", "keeper"}):
        if running - {"up", "keeper"}:
            log = setup.state.logs / f"{name}.log"
            yield Problem(f"{name} has ended; the end of {log} says why", "`make run` or `make up` restarts it")


def database(setup: Setup) -> Iterator[Problem]:
    """The warehouse of a running stack has this version's tables."""
    record = Record.read(setup.state.services / "postgres.json")
    if not record or not record.process():
        return
    try:
        with connect(Postgres.of(setup.state).uri(WAREHOUSE)) as session:
            require_migrated(session)
    except NotMigratedError as error:
        yield Problem(str(error), "`make migrate`")
    except psycopg.OperationalError as error:
        yield Problem(f"the stack's database: {str(error).strip()}", "`make down`, then `make run`")
