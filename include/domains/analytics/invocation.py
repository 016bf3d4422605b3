"""Prepares an invocation of dbt (command line, environment, cache) and stores its artifacts."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import pq

from include.core import storage
from include.core.settings import WAREHOUSE_SCHEMA
from include.core.warehouse.connect import conninfo
from include.core.warehouse.connect import schema as warehouse_schema
from include.domains.analytics.manifest import PROJECT
from include.domains.analytics.settings import DBT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.storage import File

COMMANDS = Path(__file__).with_name("commands.py")
LOGIN_VARIABLE = "DBT_ENV_SECRET_PASSWORD"  # dbt neither logs nor hashes variables with this prefix
PARTIAL_PARSE = "partial_parse.msgpack"
DOCUMENTATION = "static_index.html"
ARTIFACTS = ("run_results.json", "sources.json", "catalog.json", DOCUMENTATION)


def command_line(commands: Sequence[Sequence[str]], folder: Path, project: Path | str | None = None) -> list[str]:
    """Return the command line that runs ``commands``, such as ``[["build"]]``, and writes its files to ``folder``."""
    paths = {
        "project-dir": project or PROJECT,
        "profiles-dir": PROJECT,
        "target-path": folder / "target",
        "log-path": folder / "logs",
    }
    options = [f"--{name}={path}" for name, path in paths.items()]
    python = Path(DBT.read()).with_name("python")
    return [str(python), "-P", str(COMMANDS), json.dumps([list(command) for command in commands]), *options]


def environment(warehouse_uri: str, schema: str) -> dict[str, str]:
    """Return dbt's whole environment; it contains the connection to the warehouse as libpq variables.

    Raises:
        ValueError: if the URI isn't a PostgreSQL URI.
    """
    options = pq.Conninfo.parse(conninfo(warehouse_uri).encode())
    variables = {option.envvar.decode(): option.val.decode() for option in options if option.envvar and option.val}
    variables[LOGIN_VARIABLE] = variables.pop("PGPASSWORD", "")
    settings = {"DBT_LOG_FORMAT_FILE": "json", "DBT_SCHEMA": schema, WAREHOUSE_SCHEMA.name: warehouse_schema()}
    return {"PATH": os.defpath, "PYTHONUTF8": "1"} | settings | variables


def restore_partial_parse(cache: File, folder: Path) -> None:
    """Restore dbt's partial-parse cache from ``cache``, if there is one."""
    if (cache / PARTIAL_PARSE).exists():
        (folder / "target").mkdir()
        (folder / "target" / PARTIAL_PARSE).write_bytes((cache / PARTIAL_PARSE).read_bytes())


def store_artifacts(folder: Path, destination: File, docs: File, cache: File) -> None:
    """Copy the artifacts to ``destination``, the documentation to ``docs/index.html``, the parse cache to ``cache``."""
    target = folder / "target"
    for file in (target / name for name in ARTIFACTS):
        if file.exists():
            storage.write(destination / file.name, file.read_bytes())
    if (target / "manifest.json").exists():
        storage.write(destination / "manifest.json.gz", gzip.compress((target / "manifest.json").read_bytes(), mtime=0))
    if (target / DOCUMENTATION).exists():
        storage.write(docs / "index.html", (target / DOCUMENTATION).read_bytes())
    if (target / PARTIAL_PARSE).exists():
        storage.write(cache / PARTIAL_PARSE, (target / PARTIAL_PARSE).read_bytes())
