from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from include.core.warehouse.connect import DEFAULTS, conninfo


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "postgres://user:p%40ss%2F%3Aw%25@db.example:5433/ware%2Dhouse?sslmode=require",
            {"user": "user", "password": "p@ss/:w%", "host": "db.example", "port": "5433", "dbname": "ware-house",
             "sslmode": "require"},
        ),
        ("postgresql://db/warehouse", {"host": "db", "dbname": "warehouse"}),
        ("postgres://user@%2Frun%2Fsockets/db", {"user": "user", "host": "/run/sockets", "dbname": "db"}),
        ("postgres://@:5433/db", {"port": "5433", "dbname": "db"}),
        ("postgresql://[::1]:5433/db", {"host": "::1", "port": "5433", "dbname": "db"}),
        ("postgresql://[::1]/db", {"host": "::1", "dbname": "db"}),
        ("postgres://h/db?options=-c+search_path%3Dx", {"host": "h", "dbname": "db", "options": "-c search_path=x"}),
        (
            "postgres://h/db?__extra__=%7B%22connect_timeout%22%3A+3%2C+%22cursor%22%3A+%22dictcursor%22%7D",
            {"host": "h", "dbname": "db", "connect_timeout": "3"},
        ),
        ("host=h dbname=db connect_timeout=1", {"host": "h", "dbname": "db", "connect_timeout": "1"}),
    ],
)  # fmt: skip
def test_every_form_of_a_connection_becomes_a_libpq_string(uri: str, expected: dict[str, str]) -> None:
    assert conninfo_to_dict(conninfo(uri)) == DEFAULTS | expected


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("mysql://user:topsecret@h/db", "has type 'mysql'; allowed: postgres, postgresql"),
        ("postgres://user:topsecret@h/db?iam=true&speed=1", "extras unknown to libpq: iam, speed; remove them"),
    ],
)
def test_a_connection_of_another_type_is_refused_without_showing_the_password(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        conninfo(uri)
    assert "topsecret" not in str(refused.value)
