"""What a preview shows, compared with what the load then does, and that it leaves nothing behind."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import HIDDEN, Column, Dataset, Rejected
from include.core.warehouse.digest import table_digest
from include.core.warehouse.errors import AuditError, SchemaMismatchError
from include.core.warehouse.loader import load
from include.core.warehouse.preview.changes import LONGEST
from include.core.warehouse.preview.model import ChangedRow, LoadPreview
from tests.integration.warehouse.cases import CITIES, DAY, FIRST, WEATHER, observation, observations

if TYPE_CHECKING:
    from typing import Any

    from include.core.warehouse.connect import Session
    from include.core.warehouse.preview.model import Row
    from include.core.warehouse.stage import Rows

BOOKKEEPING = ("load_log", "load_fence", "quarantine")
PEOPLE = Dataset(
    "people",
    (Column("id", "bigint", pii=True), Column("name", "text", pii=True, nullable=True), Column("age", "integer")),
    key=("id",),
)


def preview(session: Session, dataset: Dataset, rows: Rows, **options: Any) -> LoadPreview:
    previews: list[LoadPreview] = []
    partition = DAY if dataset.partition else None
    options = {"partition": partition} | options
    result = load(session, dataset, rows=rows, attempt=replace(FIRST, previews=previews), **options)
    [shown] = previews
    assert (result.load_id, result.rows_in, result.complete) == (0, shown.rows.read, shown.complete)
    return shown


def state(session: Session, dataset: Dataset) -> list[object]:
    """Everything that a load writes."""
    tables = (*BOOKKEEPING, dataset.name)
    rows = [
        session.execute(sql.SQL("SELECT xmin::text, t.* FROM {} AS t ORDER BY t::text").format(sql.Identifier(name)))
        for name in tables
    ]
    return [table_digest(session, dataset), *(cursor.fetchall() for cursor in rows)]


def test_a_preview_shows_what_is_added_changed_and_removed_and_writes_nothing(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
    before = state(session, WEATHER)
    rows: list[Any] = [observation("London"), observation("New York", 9.25, conditions="Rain"), observation("Oslo", -1)]
    shown = preview(session, WEATHER, [*rows, Rejected({"line": 4, "city": "?"}, "city: unknown")], tolerance=0.5)
    assert state(session, WEATHER) == before
    assert (shown.dataset, shown.partition, shown.refused, shown.complete) == ("weather_data", str(DAY), None, True)
    assert shown.rows.model_dump() == {"read": 4, "accepted": 3, "rejected": 1}
    assert shown.changes.model_dump() == {"added": 1, "changed": 1, "removed": 1}
    assert shown.columns == {"temperature": 1, "conditions": 1}
    oslo = {"date": "2024-06-01", "city": "Oslo", "temperature": "-1", "conditions": "Clear"}
    assert shown.examples.added == [oslo]
    assert [row["city"] for row in shown.examples.removed] == ["Tokyo"]
    old: Row = {"date": "2024-06-01", "city": "New York", "temperature": "20.5", "conditions": "Clear"}
    assert shown.examples.changed == [ChangedRow(old=old, new=old | {"temperature": "9.25", "conditions": "Rain"})]
    assert [(row.line, row.rule) for row in shown.rejected] == [(4, "city: unknown")]
    assert [row["city"] for row in shown.sample] == ["London", "New York", "Oslo"]
    assert session.execute("SELECT to_regclass('pg_temp.stage')").fetchone() == (None,)


@pytest.mark.parametrize("seed", range(10))
def test_the_load_does_what_its_preview_showed(session: Session, seed: int) -> None:
    choose = random.Random(seed)

    def rows() -> list[dict[str, object]]:
        cities = choose.sample("ABCDEFGH", k=choose.randint(1, 8))
        return [observation(city, choose.randint(0, 2), conditions=choose.choice("xy")) for city in cities]

    for _ in range(5):
        staged, replaces = rows(), choose.random() < 0.7
        shown = preview(session, WEATHER, staged, replace=replaces)
        result = load(session, WEATHER, partition=DAY, rows=staged, attempt=FIRST, replace=replaces)
        assert (shown.changes.added + shown.changes.changed, shown.changes.removed) == (result.changed, result.removed)
        again = preview(session, WEATHER, staged, replace=replaces)
        assert again.changes.model_dump() == {"added": 0, "changed": 0, "removed": 0}


def test_an_incomplete_load_removes_nothing_and_the_preview_names_what_is_missing(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
    shown = preview(session, WEATHER, observations("London", temperature=3), expected=CITIES)
    assert (shown.complete, shown.missing) == (False, ["New York", "Tokyo"])
    assert shown.changes.model_dump() == {"added": 0, "changed": 1, "removed": 0}
    assert shown.examples.removed == []


def test_personal_data_is_masked_in_every_row(session: Session) -> None:
    load(session, PEOPLE, partition=None, rows=[person(1, "Ann"), person(2, "Bob"), person(3, None)], attempt=FIRST)
    shown = preview(session, PEOPLE, [person(1, "Anna"), person(3, None, 8), person(4, "Dan")])
    assert shown.changes.model_dump() == {"added": 1, "changed": 2, "removed": 1}
    assert shown.columns == {"name": 1, "age": 1}
    text = shown.model_dump_json()
    assert not [secret for secret in ("Ann", "Bob", "Dan", '"1"', '"2"', '"4"') if secret in text]
    masked = {"id": HIDDEN, "name": HIDDEN, "age": "7"}
    assert (shown.examples.added, shown.examples.removed) == ([masked], [masked])
    assert shown.examples.changed[1].new == {"id": HIDDEN, "name": None, "age": "8"}


def person(number: int, name: str | None, age: int = 7) -> dict[str, object]:
    return {"id": number, "name": name, "age": age}


def test_values_are_exact_times_are_in_utc_and_long_texts_are_cut(session: Session) -> None:
    columns = (
        Column("id", "bigint"),
        Column("amount", "numeric"),
        Column("at", "timestamp with time zone"),
        Column("note", "text"),
        Column("good", "boolean"),
    )
    dataset = Dataset("values", columns, key=("id",))
    at = "2024-06-01T08:00:00.5+02:00"
    row = {"id": 2**62, "amount": "12345678901234567890.10", "at": at, "note": "x" * 5000, "good": True}
    session.execute("SET TimeZone = 'Asia/Tokyo'")
    [shown] = preview(session, dataset, [row]).examples.added
    assert shown == {
        "id": str(2**62),
        "amount": "12345678901234567890.10",
        "at": "2024-06-01T06:00:00.5+00:00",
        "note": "x" * LONGEST + "…",
        "good": "true",
    }


def columns_of(session: Session, table: str) -> list[object]:
    columns = "SELECT attname, atttypid, attnotnull FROM pg_attribute WHERE attrelid = to_regclass(%s) ORDER BY attnum"
    return list(session.execute(columns, [table]))


def test_a_preview_neither_creates_nor_widens_a_table(session: Session) -> None:
    shown = preview(session, PEOPLE, [person(1, "Ann")])
    assert shown.changes.model_dump() == {"added": 1, "changed": 0, "removed": 0}
    assert columns_of(session, "people") == []
    load(session, PEOPLE, partition=None, rows=[person(1, "Ann")], attempt=FIRST)
    before = columns_of(session, "people")
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, Column("city", "text", nullable=True)))
    shown = preview(session, wider, [person(1, "Ann") | {"city": "Oslo"}])
    assert (shown.changes.changed, shown.columns) == (1, {"city": 1})
    assert columns_of(session, "people") == before


def test_a_preview_is_refused_like_the_load(session: Session) -> None:
    with pytest.raises(AuditError, match="temperature is at most 60"):
        preview(session, WEATHER, observations(temperature=451))
    narrower = replace(WEATHER, columns=(*WEATHER.columns[:3], Column("conditions", "integer")))
    with pytest.raises(SchemaMismatchError, match="conditions: declared integer, found text"):
        preview(session, narrower, [observation("London") | {"conditions": 1}])
    other = replace(WEATHER, name="never_loaded")
    assert preview(session, other, observations()).changes.added == 3


def test_a_preview_and_a_load_of_one_partition_do_not_wait_for_each_other(session: Session, warehouse: str) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
    with connect(warehouse, lock_timeout=0.2) as other:

        def rows() -> Any:
            load(other, WEATHER, partition=DAY, rows=observations("London"), attempt=FIRST)
            yield observation("Oslo")

        shown = preview(session, WEATHER, rows())
    assert shown.changes.model_dump() == {"added": 1, "changed": 0, "removed": 3}, "as of the preview's start"
    with connect(warehouse, lock_timeout=0.2) as other:

        def staged() -> Any:
            assert preview(other, WEATHER, observations("Oslo")).changes.added == 1
            yield observation("Paris")

        load(session, WEATHER, partition=DAY, rows=staged(), attempt=FIRST)
