"""Looks at the folders that Airflow's containers need, before anything starts and fails in a stranger way."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from deploy.compose.errors import SetupError

WRITABLE = (Path("/opt/airflow/logs"), Path("/opt/airflow/storage"))
READABLE = (Path("/opt/airflow/dags"),)


def check(writable: Iterable[Path] = WRITABLE, readable: Iterable[Path] = READABLE) -> None:
    """Write to each folder that tasks write to, and read every file of those that are read.

    Raises:
        SetupError: one line for each folder that can't be used: path, owner, our user, and how to fix it.
    """
    problems = [*filter(None, map(_write_problem, writable)), *filter(None, map(_read_problem, readable))]
    if problems:
        raise SetupError("\n".join(problems))


def _write_problem(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return (
            f"{folder} can't be written by uid {os.getuid()}, gid {os.getgid()} ({error.strerror}); {_owner(folder)}."
            " A volume that is mounted read-only must be mounted writable; one of another owner is handed over by:"
            f" docker compose run --rm --no-deps --user 0 --cap-add CHOWN --entrypoint chown airflow-init"
            f" -R {os.getuid()}:0 {folder}"
        )


def _read_problem(folder: Path) -> str | None:
    def fail(error: OSError) -> None:
        raise error

    try:
        for path, _, names in os.walk(folder, onerror=fail):
            for name in names:
                with Path(path, name).open("rb"):
                    pass
    except OSError as error:
        where = Path(str(error.filename or folder))
        return (
            f"{where} can't be read by uid {os.getuid()}, gid {os.getgid()} ({error.strerror}); {_owner(where)}."
            f" On the host: chmod -R a+rX {folder.name}"
        )
    return None


def _owner(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        return f"it can't be looked at: {error.strerror}"
    return f"it belongs to uid {status.st_uid}, gid {status.st_gid}, mode {status.st_mode & 0o7777:04o}"
