"""Parsing the output of `airflow db clean`, and the URL of its database."""

from __future__ import annotations

import pytest

from include.ops.maintenance.metadata import CleanError, counts, sqlalchemy_url

OUTPUT = """Performing dry run for db cleanup.
Data prior to 2024-01-01T00:00:00+00:00 would be purged from tables ['dag_run', 'log'] with the following config:

Performing dry run for table dag_run
Checking table dag_run
Found 0 rows meeting deletion criteria.

Performing dry run for table log
Checking table log
Found 1234 rows meeting deletion criteria.
"""


def test_rows_by_table() -> None:
    assert counts(OUTPUT) == {"log": 1234}


def test_the_url_is_converted_for_sqlalchemy() -> None:
    assert sqlalchemy_url("postgres://me@host:5432/airflow") == "postgresql+psycopg2://me@host:5432/airflow"
    with pytest.raises(CleanError, match="type 'mysql'; allowed: postgres"):
        sqlalchemy_url("mysql://host/airflow")
