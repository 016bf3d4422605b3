from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from include.core.warehouse.json_row import JsonRow, json_texts
from include.core.warehouse.quarantine import storable_json

TEXT = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from('\\"\0\t\n\r\x1f\x7f{}, :')))


@given(st.dictionaries(TEXT, TEXT, max_size=2), TEXT, st.lists(TEXT, min_size=1, max_size=5))
@example({"file\0": "b"}, 'say "a\\"', ['\\"', "a\0b\n", "\U0001f600\x7f"])
def test_rows_are_those_that_are_written_one_by_one(hidden: dict[str, str], name: str, texts: list[str]) -> None:
    lines: pa.Array[Any] = pa.array(range(len(texts)), pa.int64())
    columns: dict[str, pa.Array[Any]] = {name: pa.array(texts, pa.string()), "line": lines}
    rows = [JsonRow(str(text)) for text in json_texts(hidden, columns).to_pylist()]
    for line, (row, text) in enumerate(zip(rows, texts, strict=True)):
        expected = {"file": "a\ud83d\\b", **hidden, name: text, "line": line}
        stored = row.after("file", "a\ud83d\\b")
        assert stored == json.loads(storable_json(expected))
        stored.text.encode()


def test_a_row_is_parsed_once() -> None:
    row = JsonRow('{"line": 7}')
    assert row["line"] == 7
    assert row.parsed() is row.parsed()
