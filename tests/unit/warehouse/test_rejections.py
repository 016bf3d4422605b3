"""Rejected rows that are written many at a time are those that are described one by one."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.core.csv_files.reader import CsvReader
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.quarantine import KEPT, RejectedRows
from include.core.warehouse.validation import rejections
from include.core.warehouse.validation.engine import Judge, database
from include.core.warehouse.validation.rejections import Rejections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from include.core.warehouse.dataset import Rejected

CALLS = Dataset(
    name="calls",
    columns=(
        Column("id", "bigint", minimum=1),
        Column("kind", "text", allowed=("a", "b\\\t'")),
        Column("phone", "bigint", nullable=True, maximum=9, pii=True),
        Column("price", "numeric", maximum=5),
        Column("paid", "numeric"),
    ),
    key=("id",),
    rules=("paid <= price",),
)
CELL = st.sampled_from(
    ["1", "9", "-3", "10", "", "many", "a", "b\\\t'", "c\\", 'say "d"', "\x01\x7f", "é\U0001f600", "e\nf"]
)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with database() as connection:
        yield Judge(connection, CALLS, nulls=[""])


def lines(rows: Iterable[Rejected] | Rejections) -> list[list[bytes]]:
    with RejectedRows() as refused:
        refused.add(rows)
        assert len(refused.first) == min(KEPT, len(refused))
        return [*refused.lines(), [str(len(refused)).encode()]]


@given(
    st.lists(st.lists(CELL, min_size=5, max_size=5), min_size=1, max_size=20), st.sampled_from([None, 'in"box/a.csv'])
)
@example(
    [["x", "a", "10", "1", "2"], ["1", "a", "", "9", "many"], ["2", "a", "x", "1", "1"], ["3", "a", "1", "1", "2"]], "f"
)
def test_texts_are_those_of_the_rows(judge: Judge, rows: list[list[str]], file: str | None) -> None:
    content = io.StringIO()
    csv.writer(content).writerows([CALLS.column_names, *rows])
    binary = io.BytesIO(content.getvalue().encode())
    for judged in map(judge, CsvReader(binary, CALLS, delimiter=",")):
        if isinstance(judged.rejected, Rejections):
            rejected = judged.rejected.of_file(file) if file else judged.rejected
            assert rejected.texts() is not None
            assert lines(rejected) == lines(list(rejected))


def test_one_prepared_query_judges_each_batch(judge: Judge) -> None:
    for first in (1, 101):
        rows = "".join(f"{first + number},a,1,{'many' if number % 2 else 1},1\n" for number in range(100))
        file = io.BytesIO(f"{','.join(CALLS.column_names)}\n{rows}".encode())
        [judged] = map(judge, CsvReader(file, CALLS))
        assert judged.accepted["id"].to_pylist() == list(range(first, first + 100, 2))
        assert [item.row["id"] for item in judged.rejected] == [str(first + number) for number in range(1, 100, 2)]


def test_each_row_of_several_slices_is_written(judge: Judge) -> None:
    rows = "".join(f"{number},z,1,1,1\n" for number in range(1, 2 * rejections.DESCRIBED + 2))
    file = io.BytesIO(f"{','.join(CALLS.column_names)}\n{rows}".encode())
    [judged] = map(judge, CsvReader(file, CALLS))
    assert lines(judged.rejected) == lines(list(judged.rejected))
    assert lines(judged.rejected)[-1] == [str(2 * rejections.DESCRIBED + 1).encode()]
