"""Rows that belong together are loaded together or not at all, and the load says what it lacks."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Column, Dataset, Rejected
from include.core.warehouse.errors import IncompleteLoadError
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from tests.integration.warehouse.cases import FIRST

if TYPE_CHECKING:
    from include.core.warehouse.loader import LoadResult

LINES = Dataset(
    name="lines",
    columns=(
        Column("shop", "text"), Column("invoice", "integer"), Column("line", "integer"),
        Column("customer", "text", pii=True), Column("at", "timestamp with time zone", nullable=True),
    ),
    key=("shop", "invoice", "line"),
    together=("shop", "invoice"),
)  # fmt: skip


def line(shop: str, invoice: int, number: int) -> dict[str, object]:
    return {"shop": shop, "invoice": invoice, "line": number, "customer": "Ann", "at": None}


ROWS = [line(shop, invoice, number) for shop in ("York", "Bath") for invoice in (1, 2) for number in (1, 2)]


def load_lines(uri: str, *rejected: Rejected) -> LoadResult:
    with connect(uri) as session:
        create_table(session, LINES)
        return load(session, LINES, partition=None, rows=ROWS, attempt=FIRST, rejected=rejected, tolerance=0.5)


def test_a_rejected_row_rejects_its_group(warehouse: str) -> None:
    result = load_lines(warehouse, Rejected({"line": 3}, "why not", ("York", "2")))
    assert (result.rows_in, result.loaded, result.quarantined, result.complete) == (9, 6, 3, False)
    assert result.missing == ("shop, invoice York, 2",)
    with pytest.raises(IncompleteLoadError, match="incomplete, missing: shop, invoice York, 2"):
        result.require_complete()
    with connect(warehouse) as session:
        assert session.execute("SELECT DISTINCT shop, invoice FROM lines ORDER BY shop, invoice").fetchall() == [
            ("Bath", 1), ("Bath", 2), ("York", 1),
        ]  # fmt: skip
        rows = session.execute("SELECT source_row ->> 'customer' FROM quarantine WHERE reason <> 'why not'").fetchall()
        assert rows == [("(personal data)",)] * 2


def test_a_row_of_an_unknown_group_marks_the_load(warehouse: str) -> None:
    result = load_lines(warehouse, Rejected({"line": 3}, "has 4 fields"))
    assert (result.loaded, result.complete, result.missing) == (8, False, ("1 row(s) without a valid shop, invoice",))


def test_a_copy_loses_nothing(warehouse: str) -> None:
    result = load_lines(warehouse, Rejected({"line": 3}, "copy", ("York", "2"), is_copy=True))
    assert (result.loaded, result.quarantined, result.complete) == (8, 1, True)


def test_a_row_that_can_not_be_stored_rejects_its_group(warehouse: str) -> None:
    with connect(warehouse) as session:
        create_table(session, LINES)
        rows = [*ROWS, line("York", 1, 3) | {"customer": "A\0nn"}]
        result = load(session, LINES, partition=None, rows=rows, attempt=FIRST, tolerance=0.5)
    assert (result.loaded, result.quarantined, result.missing) == (6, 3, ("shop, invoice York, 1",))


@pytest.mark.parametrize(
    ("name", "message"), [("town", "together names 'town'"), ("at", "'at' of type 'timestamp with")]
)
def test_a_wrong_declaration_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"dataset 'lines': .*{message}"):
        Dataset("lines", LINES.columns, LINES.key, together=(name,))


def test_the_date_of_a_group_is_text() -> None:
    dataset = Dataset("d", (Column("day", "date"), Column("n", "integer")), ("day",), together=("day",))
    assert dataset.group({"day": date(2024, 6, 1)}) == ("2024-06-01",)
    assert dataset.group({"day": None}) is None
