"""What dbt is started with."""

from __future__ import annotations

import pytest

from include.domains.analytics.invocation import environment


def test_dbt_gets_the_login_and_nothing_else_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    found = environment("postgres://loader:p%40ss%2Fword@db.example.com:6432/warehouse?sslmode=require", "marts")
    assert (
        found.items()
        >= {
            "PGHOST": "db.example.com",
            "PGPORT": "6432",
            "PGUSER": "loader",
            "PGDATABASE": "warehouse",
            "PGSSLMODE": "require",
            "DBT_SCHEMA": "marts",
        }.items()
    )
    assert "AIRFLOW__CORE__FERNET_KEY" not in found
    assert [name for name, value in found.items() if value == "p@ss/word"] == ["DBT_ENV_SECRET_PASSWORD"]
    assert [name for name, value in found.items() if "p@ss" in value] == ["DBT_ENV_SECRET_PASSWORD"]
