"""Rows that only the database refuses are rejected like all others: masked, counted, with file and line."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from string import ascii_lowercase
from typing import Any

import psycopg
import pytest

from include.core.csv_files.load import load_csv
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import HIDDEN, LONGEST_KEY, Column, Dataset
from include.core.warehouse.errors import AuditError, LoadError
from include.core.warehouse.loader import LoadResult, load
from include.core.warehouse.schema import create_table
from include.core.warehouse.stage import MOST_REFUSED

ITEMS = Dataset(
    name="items",
    columns=(
        Column("code", "text"),
        Column("name", "text", nullable=True),
        Column("amount", "numeric", nullable=True),
        Column("phone", "bigint", nullable=True, pii=True),
    ),
    key=("code",),
)
HEADER = "code,name,amount,phone\n"

Publish = Callable[..., LoadResult]
Query = Callable[..., list[Any]]


@pytest.fixture
def query(warehouse: str) -> Query:
    """Execute a statement on a warehouse with the table ``items``."""
    with connect(warehouse) as session:
        create_table(session, ITEMS)

    def execute(statement: str) -> list[Any]:
        with psycopg.connect(warehouse) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def publish(warehouse: str) -> Publish:
    def steps(content: str, share: float = 0.9) -> LoadResult:
        file, attempt = io.BytesIO((HEADER + content).encode()), Attempt("dag", "load", "run", 1)
        return load_csv(file, ITEMS, warehouse, attempt, name="inbox/items.csv", max_bad_share=share)

    return steps


@pytest.mark.parametrize(
    ("constraint", "row", "reason"),
    [
        ("CONSTRAINT short CHECK (length(name) <= 5)", "b,too long,1,5551234", "constraint short"),
        ("CHECK (amount >= 0 AND phone > 0)", "b,two,-1,5551234", "constraint items_check"),
        ("CHECK (100 / amount > 0)", "b,two,0,5551234", "DivisionByZero"),
        ("CHECK (length(name) <= 5) NOT VALID", "b,too long,1,5551234", "constraint items_name_check"),
    ],
)
def test_a_row_that_breaks_a_constraint_of_the_table(
    publish: Publish, query: Query, constraint: str, row: str, reason: str
) -> None:
    query(f"ALTER TABLE items ADD {constraint}")
    result = publish(f"a,one,1,1\n{row}\nc,three,3,3\n")
    assert (result.rows_in, result.loaded, result.quarantined) == (3, 2, 1)
    assert query("SELECT code FROM items ORDER BY code") == [("a",), ("c",)]
    [(source_row, stored)] = query("SELECT source_row, reason FROM quarantine")
    assert (source_row["file"], source_row["line"], source_row["phone"]) == ("inbox/items.csv", 3, HIDDEN)
    assert source_row["name"] == row.split(",")[1]
    assert stored == f"the warehouse refuses the row ({reason})"


def test_they_count_against_the_tolerated_share(publish: Publish, query: Query) -> None:
    query("ALTER TABLE items ADD CONSTRAINT short CHECK (length(name) <= 5)")
    rows = "a,one,1,1\nb,too long,1,1\nc,much too long,3,3\nd,four,x,1\n"
    with pytest.raises(LoadError, match=r"3 of 4 rows are invalid .*\n  - line 5: amount: .*\n.*line 3: .*short"):
        publish(rows, share=0.7)
    assert query("SELECT count(*) FROM items") == query("SELECT count(*) FROM quarantine") == [(0,)]
    assert publish(rows, share=0.75).quarantined == 3


def test_more_of_them_than_can_be_searched_for_refuse_the_load(publish: Publish, query: Query) -> None:
    query("ALTER TABLE items ADD CONSTRAINT short CHECK (length(name) <= 5)")
    rows = "".join(f"{number},too long,1,1\n" for number in range(MOST_REFUSED + 1)) + "a,one,1,1\n"
    with pytest.raises(LoadError, match=rf"\(constraint short\), as it did {MOST_REFUSED} others; nothing was written"):
        publish(rows, share=0.99)
    assert publish(rows.split("\n", 1)[1], share=0.9999).quarantined == MOST_REFUSED


@pytest.mark.parametrize(
    "constraint",
    [
        "CONSTRAINT later CHECK (loaded_at > '2000-01-01')",
        "CONSTRAINT whole CHECK (items IS NOT NULL)",
        "CONSTRAINT nothing CHECK (1 = 1)",
        "CONSTRAINT off CHECK (length(name) <= 2) NOT ENFORCED",
    ],
)
def test_constraints_that_say_nothing_about_the_rows_are_left_to_the_table(
    publish: Publish, query: Query, constraint: str
) -> None:
    query(f"ALTER TABLE items ADD {constraint}")
    assert publish("a,one,1,1\n").loaded == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX ON items (phone)",
        "CREATE TABLE phones (phone bigint PRIMARY KEY); ALTER TABLE items ADD FOREIGN KEY (phone) REFERENCES phones",
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'phone %', new.phone; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse()
        """,
    ],
)
def test_what_only_the_published_table_knows_refuses_the_load(publish: Publish, query: Query, statement: str) -> None:
    query(statement)
    with pytest.raises(LoadError, match=r"items, partition all: the table refuses the rows \(.*nothing was") as caught:
        publish("a,one,1,5551234\nb,two,1,5551234\n")
    assert "5551234" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_that_no_index_can_hold_is_rejected_alone(publish: Publish, query: Query) -> None:
    letters = random.Random(7)
    longest, longer = ("".join(letters.choices(ascii_lowercase, k=LONGEST_KEY + more)) for more in (0, 1))
    result = publish(f"a,one,1,1\n{longest},two,1,1\n{longer},three,1,1\n")
    assert (result.loaded, result.quarantined) == (2, 1)
    assert query("SELECT source_row->'line', reason FROM quarantine") == [
        (4, f"code: must take at most {LONGEST_KEY} bytes, as a key")
    ]


def test_rows_that_our_own_code_makes_refuse_the_load(warehouse: str, query: Query) -> None:
    query("ALTER TABLE items ADD CONSTRAINT short CHECK (length(name) <= 5)")
    row = {"code": "a", "name": "one", "amount": 1, "phone": 5551234}
    with connect(warehouse) as session, pytest.raises(AuditError, match=r"\(constraint short\)") as caught:
        load(
            session, ITEMS, partition=None, rows=[row, row | {"code": "b", "name": "too long"}],
            attempt=Attempt("dag", "load", "run", 1),
        )  # fmt: skip
    assert "line 2" in str(caught.value)
    assert "5551234" not in str(caught.value)
