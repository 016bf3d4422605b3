"""Removes old rows of Airflow's own database with ``airflow db clean``.

Airflow 3 hides that database from tasks. So the caller passes its URL, and the command runs without the environment
variables of a task.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import subprocess
import sys

log = logging.getLogger(__name__)

TASK_VARIABLES = ("AIRFLOW__DATABASE__", "AIRFLOW__CORE__SQL_ALCHEMY", "_AIRFLOW_", "AIRFLOW_CTX_")
TABLE = re.compile(r"(?:Checking table|Performing dry run for table) (\w+)")
FOUND = re.compile(r"Found (\d+) rows meeting deletion criteria")


class CleanError(Exception):
    """``airflow db clean`` failed; the message has the end of its output."""


def clean(url: str, older_than: dt.timedelta, now: dt.datetime, *, dry_run: bool) -> dict[str, int]:
    """Delete old rows without archiving them; the newest run of each DAG is kept.

    Args:
        url: SQLAlchemy URL of the metadata database.
        older_than: age from which rows are deleted.
        now: the current time.
        dry_run: only report.

    Returns:
        Number of old rows by table, without tables that have none.

    Raises:
        CleanError: if a table can't be cleaned.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(TASK_VARIABLES)}
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url
    before = (now - older_than).isoformat(timespec="seconds")
    command = [sys.executable, "-m", "airflow", "db", "clean", "--clean-before-timestamp", before, "--yes"]
    command += ["--error-on-cleanup-failure", "--skip-archive", *(["--dry-run"] if dry_run else [])]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CleanError(
            f"airflow db clean exited with {result.returncode}:\n{(result.stdout + result.stderr)[-2000:]}"
        )
    rows_by_table = counts(result.stdout)
    for table, rows in rows_by_table.items():
        log.info("%s %d row(s) of %s older than %s", "would delete" if dry_run else "deleted", rows, table, before)
    return rows_by_table


def sqlalchemy_url(uri: str) -> str:
    """Return the SQLAlchemy URL for a PostgreSQL connection's ``get_uri()``.

    Raises:
        CleanError: if the connection has another type.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in {"postgres", "postgresql"}:
        raise CleanError(f"connection metadata_default has type {scheme!r}; allowed: postgres")
    return f"postgresql+psycopg2://{rest}"


def counts(output: str) -> dict[str, int]:
    """Return the rows by table from the output of ``airflow db clean``."""
    rows_by_table: dict[str, int] = {}
    table = ""
    for line in output.splitlines():
        if match := TABLE.search(line):
            table = match[1]
        elif (rows := FOUND.search(line)) and int(rows[1]):
            rows_by_table[table] = int(rows[1])
    return rows_by_table
