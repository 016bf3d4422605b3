"""Both ways of reading a block of CSV return the same rows and lines."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.core.csv_files import reader
from include.core.csv_files.dialect import CsvError
from include.core.csv_files.reader import CsvReader
from include.core.warehouse.dataset import Column, Dataset

PAIRS = Dataset("pairs", (Column("a", "text"), Column("b", "text")), key=("a",))


def read(body: str) -> Any:
    """Return the rows with their lines, the malformed ones, and the error."""
    rows: list[Any] = []
    malformed: list[Any] = []
    file = io.BytesIO(f"a,b\n{body}".encode())
    try:
        for batch in CsvReader(file, PAIRS, delimiter=","):
            cells = (batch.cells[name].to_pylist() for name in PAIRS.column_names)
            rows += zip(batch.lines.to_pylist(), *cells, strict=True)
            malformed += [item.row for item in batch.malformed]
    except CsvError as error:
        return str(error)
    return rows, malformed


def slowly(body: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader._Table, "_fast", lambda *_: None)
        return read(body)


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from('ab, ,,""\n\n\r\0é'), max_size=24))
@example('x,y\n"a,","b"\n')
@example('a,",b"c,d\n')
@example('"a"b,c\n')
@example('"a""b",c\n')
@example('"a\nb",c\r\nd,e\r\n')
@example('a",b\n"c,d\n')
@example("a,b\n\nc,d\n")
def test_both_ways_return_the_same(body: str) -> None:
    assert read(body) == slowly(body)


def test_common_files_are_read_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader._Lines, "rows", lambda *_: pytest.fail("read slowly"))
    for end in ("\n", "\r\n"):
        rows, _ = read(f'1,"x, y"{end}"",z{end}')
        assert rows == [(2, "1", "x, y"), (3, "", "z")]


def test_a_row_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    assert "line 3: the row is longer than" in read("a,b\n" + '"a\n",' * 3_000_000)
    assert "line 2: the row is longer than" in read("," * 20_000_000)
