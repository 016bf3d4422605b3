"""How dbt is started: command line, environment, and the files that it reads and leaves behind."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import pq

from include.core import storage
from include.core.warehouse.connect import conninfo
from include.domains.analytics.manifest import PROJECT
from include.domains.analytics.settings import DBT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.storage import File

COMMANDS = Path(__file__).with_name("commands.py")
HIDDEN_LOGIN = "DBT_ENV_SECRET_PASSWORD"  # dbt neither logs nor hashes what begins with DBT_ENV_SECRET_
PARSED = "partial_parse.msgpack"
DOCUMENTATION = "static_index.html"
KEPT = ("run_results.json", "sources.json", "catalog.json", DOCUMENTATION)


def command_line(commands: Sequence[Sequence[str]], folder: Path) -> list[str]:
    """Return the command line that runs ``commands``, such as ``[["build"]]``, and leaves its files in ``folder``."""
    paths = {
        "project-dir": PROJECT,
        "profiles-dir": PROJECT,
        "target-path": folder / "target",
        "log-path": folder / "logs",
    }
    options = [f"--{name}={path}" for name, path in paths.items()]
    python = Path(DBT.read()).with_name("python")
    return [str(python), "-P", str(COMMANDS), json.dumps([list(command) for command in commands]), *options]


def environment(warehouse_uri: str, schema: str) -> dict[str, str]:
    """Return all that dbt gets of a worker's environment: how to reach the warehouse, as libpq's variables.

    Raises:
        ValueError: if the URI isn't one of a PostgreSQL server.
    """
    given = pq.Conninfo.parse(conninfo(warehouse_uri).encode())
    login = {one.envvar.decode(): one.val.decode() for one in given if one.envvar and one.val}
    login[HIDDEN_LOGIN] = login.pop("PGPASSWORD", "")
    return {"PATH": os.defpath, "PYTHONUTF8": "1", "DBT_LOG_FORMAT_FILE": "json", "DBT_SCHEMA": schema} | login


def reuse_parsed(cache: File, folder: Path) -> None:
    """Give dbt what it kept of an earlier parse; it reads again what has changed since."""
    if (cache / PARSED).exists():
        (folder / "target").mkdir()
        (folder / "target" / PARSED).write_bytes((cache / PARSED).read_bytes())


def keep(folder: Path, place: File, docs: File, cache: File) -> None:
    """Keep what dbt left in ``folder``: its artifacts in ``place``, the documentation also as ``docs/index.html``."""
    target = folder / "target"
    for file in (target / name for name in KEPT):
        if file.exists():
            storage.write(place / file.name, file.read_bytes())
    if (target / "manifest.json").exists():
        storage.write(place / "manifest.json.gz", gzip.compress((target / "manifest.json").read_bytes(), mtime=0))
    if (target / DOCUMENTATION).exists():
        storage.write(docs / "index.html", (target / DOCUMENTATION).read_bytes())
    if (target / PARSED).exists():
        storage.write(cache / PARSED, (target / PARSED).read_bytes())
