"""Old rows of Airflow's own database, by its own command, ``airflow db clean``.

Tasks can't reach that database: Airflow 3 hides it from them. So the command gets its URL from whoever calls this, and
an environment in which it is no task's child.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import subprocess
import sys

log = logging.getLogger(__name__)

TASKS_OWN = ("AIRFLOW__DATABASE__", "AIRFLOW__CORE__SQL_ALCHEMY", "_AIRFLOW_", "AIRFLOW_CTX_")
TABLE = re.compile(r"(?:Checking table|Performing dry run for table) (\w+)")
FOUND = re.compile(r"Found (\d+) rows meeting deletion criteria")


class CleanError(Exception):
    """``airflow db clean`` failed; the message is the end of what it said."""


def clean(url: str, older_than: dt.timedelta, now: dt.datetime, *, dry_run: bool) -> dict[str, int]:
    """Delete rows that are older than allowed, without keeping a copy; the newest run of each DAG stays.

    Args:
        url: SQLAlchemy URL of the metadata database.
        older_than: age from which rows go.
        now: the moment that it is counted from.
        dry_run: only tell.

    Returns:
        Rows that were found, by table; those without any are left out.

    Raises:
        CleanError: if a table can't be cleaned.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(TASKS_OWN)}
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url
    before = (now - older_than).isoformat(timespec="seconds")
    command = [sys.executable, "-m", "airflow", "db", "clean", "--clean-before-timestamp", before, "--yes"]
    command += ["--error-on-cleanup-failure", "--skip-archive", *(["--dry-run"] if dry_run else [])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CleanError(f"airflow db clean ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    found = counts(done.stdout)
    for table, rows in found.items():
        log.info("%s %d row(s) of %s older than %s", "would delete" if dry_run else "deleted", rows, table, before)
    return found


def sqlalchemy_url(uri: str) -> str:
    """Return the URL for SQLAlchemy of a PostgreSQL connection's URI, as ``Connection.get_uri()`` gives it.

    Raises:
        CleanError: if it is of another type.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in {"postgres", "postgresql"}:
        raise CleanError(f"connection metadata_default has type {scheme!r}; allowed: postgres")
    return f"postgresql+psycopg2://{rest}"


def counts(output: str) -> dict[str, int]:
    """Return the rows by table that ``airflow db clean`` says it has found."""
    found: dict[str, int] = {}
    table = ""
    for line in output.splitlines():
        if named := TABLE.search(line):
            table = named[1]
        elif (rows := FOUND.search(line)) and int(rows[1]):
            found[table] = int(rows[1])
    return found
