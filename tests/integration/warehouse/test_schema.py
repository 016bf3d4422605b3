"""Tables come into being once, however many workers create them, and a wrong one is refused."""

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
from include.core.warehouse.schema import create_table
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
        tables = session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    assert [name for (name,) in tables] == ["load_fence", "load_log", "quarantine", "weather_data"]


def test_a_load_log_of_before_gets_its_new_column_once(warehouse: str) -> None:
    with connect(warehouse) as session, connect(warehouse) as reader:
        create_table(session, WEATHER)
        session.execute("ALTER TABLE load_log DROP COLUMN replayed_from")
        create_table(session, WEATHER)
        assert session.execute("SELECT replayed_from FROM load_log").fetchall() == []
        with reader.transaction():
            reader.execute("SELECT count(*) FROM load_log")
            create_table(session, WEATHER)  # waits for no reader when there is nothing to add


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


DECLARED = "date date, city text, temperature double precision, conditions text, load_id bigint, loaded_at timestamptz"


@pytest.mark.parametrize(
    ("existing", "message"),
    [
        ("date date, city text, temperature real", "conditions: declared text, found nothing.*temperature: declared"),
        (f"{DECLARED}, PRIMARY KEY (city)", r"primary key: declared \['city', 'date'\], found \['city'\]"),
        (f"{DECLARED}, sunshine real, PRIMARY KEY (city, date)", "sunshine: declared not at all, found real"),
    ],
    ids=["columns", "key", "one column more"],
)
def test_a_table_that_differs_is_refused_and_left_alone(warehouse: str, existing: str, message: str) -> None:
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


def test_awkward_names_are_only_names(warehouse: str) -> None:
    odd = 'select "; DROP TABLE load_log; --'
    dataset = Dataset(odd, (Column(odd, "integer"), Column("group", "text", nullable=True)), key=(odd,))
    with connect(warehouse) as session:
        create_table(session, dataset)
        create_table(session, replace(dataset, minimum_rows=5))
        assert session.execute("SELECT to_regclass('load_log') IS NOT NULL").fetchone() == (True,)
