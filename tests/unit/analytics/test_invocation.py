"""The environment in which dbt is started."""

from __future__ import annotations

import pytest

from include.domains.analytics.invocation import environment


def test_dbt_gets_the_login_and_no_other_variables_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    variables = environment("postgres://loader:p%40ss%2Fword@db.example.com:6432/warehouse?sslmode=require", "marts")
    assert (
        variables.items()
        >= {
            "PGHOST": "db.example.com",
            "PGPORT": "6432",
            "PGUSER": "loader",
            "PGDATABASE": "warehouse",
            "PGSSLMODE": "require",
            "DBT_SCHEMA": "marts",
        }.items()
    )
    assert "AIRFLOW__CORE__FERNET_KEY" not in variables
    assert [name for name, value in variables.items() if value == "p@ss/word"] == ["DBT_ENV_SECRET_PASSWORD"]
    assert [name for name, value in variables.items() if "p@ss" in value] == ["DBT_ENV_SECRET_PASSWORD"]
