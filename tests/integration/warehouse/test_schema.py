"""Tables are created once, however many workers create them, and a wrong table is refused."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.errors import SchemaMismatchError
from include.core.warehouse.schema import create_table, exists
from tests.integration.warehouse.cases import WEATHER

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session


def test_many_workers_may_create_the_same_table_at_once(warehouse: str) -> None:
    start, errors = threading.Barrier(8), []

    def create() -> None:
        with connect(warehouse) as session:
            start.wait(timeout=20)
            try:
                create_table(session, WEATHER)
            except psycopg.Error as error:
                errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    with connect(warehouse) as session:
        assert exists(session, "weather_data")


WIDENED = replace(
    WEATHER,
    columns=(
        Column("date", "date"),
        Column("city", "text"),
        Column("temperature", "double precision", nullable=True),
        Column("conditions", "text"),
        Column("stations", "bigint"),
        Column("wind", "numeric", nullable=True, doc="Metres per second"),
    ),
)


def create_narrow(session: Session) -> None:
    """WIDENED's table as an earlier release declared it, with a row."""
    session.execute(
        "CREATE TABLE weather_data (date date NOT NULL, city text NOT NULL, temperature double precision NOT NULL,"
        " conditions text NOT NULL, stations integer NOT NULL, load_id bigint NOT NULL,"
        " loaded_at timestamptz NOT NULL, PRIMARY KEY (city, date))"
    )
    session.execute("INSERT INTO weather_data VALUES ('2024-06-01', 'London', 17.5, 'clear', 7, 1, now())")


def test_a_table_is_widened_and_keeps_its_rows(warehouse: str) -> None:
    with connect(warehouse) as session:
        create_narrow(session)
        create_table(session, WIDENED)
        rows = session.execute("SELECT city, temperature, stations, wind FROM weather_data").fetchall()
        assert rows == [("London", 17.5, 7, None)]
        session.execute("UPDATE weather_data SET temperature = NULL, stations = 3000000000, wind = 1.25")
        create_table(session, WIDENED)


def test_a_column_that_allows_null_is_refused_where_the_dataset_does_not(warehouse: str) -> None:
    with connect(warehouse) as session:
        create_table(session, WEATHER)
        session.execute("ALTER TABLE weather_data ALTER COLUMN conditions DROP NOT NULL")
        with pytest.raises(SchemaMismatchError, match='ALTER COLUMN "conditions" SET NOT NULL;'):
            create_table(session, WEATHER)


def test_a_table_that_a_view_reads_is_refused_with_the_view(warehouse: str) -> None:
    with connect(warehouse) as session:
        create_narrow(session)
        session.execute("CREATE VIEW stations AS SELECT stations FROM weather_data")
        with pytest.raises(SchemaMismatchError, match="view stations"):
            create_table(session, WIDENED)
        assert session.execute("SELECT count(*) FROM stations").fetchone() == (1,)


def test_a_table_that_is_as_declared_is_not_locked(warehouse: str) -> None:
    with connect(warehouse) as session, connect(warehouse) as reader:
        create_table(session, WEATHER)
        with reader.transaction():
            reader.execute("SELECT count(*) FROM weather_data")
            create_table(session, WEATHER)


def test_columns_are_as_declared(session: Session) -> None:
    columns = session.execute(
        "SELECT column_name, data_type, is_nullable, col_description('weather_data'::regclass, ordinal_position)"
        " FROM information_schema.columns WHERE table_name = 'weather_data' ORDER BY ordinal_position"
    ).fetchall()
    assert columns == [
        ("date", "date", "NO", "UTC day"),
        ("city", "text", "NO", None),
        ("temperature", "double precision", "NO", "Degrees Celsius"),
        ("conditions", "text", "NO", None),
        ("load_id", "bigint", "NO", None),
        ("loaded_at", "timestamp with time zone", "NO", None),
    ]


DECLARED = (
    "date date NOT NULL, city text NOT NULL, temperature double precision NOT NULL, conditions text NOT NULL,"
    " load_id bigint NOT NULL, loaded_at timestamptz NOT NULL"
)


@pytest.mark.parametrize(
    ("existing", "message"),
    [
        (
            "date date, city text, temperature real",
            'conditions: declared text, found nothing.*ADD COLUMN "conditions" text NOT NULL DEFAULT .*"loaded_at"',
        ),
        (f"{DECLARED}, PRIMARY KEY (city)", 'DROP CONSTRAINT "weather_data_pkey", ADD PRIMARY KEY ."date", "city"'),
        (f"{DECLARED}, sunshine real, PRIMARY KEY (city, date)", 'found real.*ALTER TABLE .* DROP COLUMN "sunshine";'),
    ],
    ids=["columns", "key", "one column more"],
)
def test_a_table_that_differs_is_refused_and_left_unchanged(warehouse: str, existing: str, message: str) -> None:
    with connect(warehouse) as session:
        session.execute(sql.SQL("CREATE TABLE weather_data ({})").format(sql.SQL(existing)))
        with pytest.raises(SchemaMismatchError, match=message):
            create_table(session, WEATHER)
        columns = session.execute(
            "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute"
            " WHERE attrelid = 'weather_data'::regclass AND attnum > 0 AND NOT attisdropped"
        ).fetchone()
    names = [part.split()[0] for part in existing.split(", ") if not part.startswith(("PRIMARY", "date)"))]
    assert columns == (" ".join(names),)


def test_awkward_names_are_quoted(warehouse: str) -> None:
    odd = 'select "; DROP TABLE load_log; --'
    dataset = Dataset(odd, (Column(odd, "integer"), Column("group", "text", nullable=True)), key=(odd,))
    with connect(warehouse) as session:
        create_table(session, dataset)
        create_table(session, replace(dataset, minimum_rows=5))
        assert session.execute("SELECT to_regclass('load_log') IS NOT NULL").fetchone() == (True,)
