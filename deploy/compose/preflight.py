"""Checks the permissions of the folders that Airflow's containers need, before the services start."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from deploy.compose.errors import SetupError

WRITABLE = (Path("/opt/airflow/logs"), Path("/opt/airflow/storage"))
READABLE = (Path("/opt/airflow/dags"),)


def check(writable: Iterable[Path] = WRITABLE, readable: Iterable[Path] = READABLE) -> None:
    """Check that the writable folders can be written, and every file in the readable ones read.

    Raises:
        SetupError: with a line for each unusable folder: path, owner, current user, and how to fix it.
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
            " Mount the volume writable if it is read-only, or change its owner:"
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
        return f"its status can't be read: {error.strerror}"
    return f"it belongs to uid {status.st_uid}, gid {status.st_gid}, mode {status.st_mode & 0o7777:04o}"
