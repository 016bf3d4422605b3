"""Files of training data that aren't tables: the error names file and line."""

from __future__ import annotations

import pytest

from include.core.ml.errors import DataError
from include.core.ml.tables import read_csv

CASES: list[tuple[list[bytes], str]] = [
    ([], "the file is empty; at least one row is needed"),
    ([b"\n", b"\n"], "the file is empty"),
    ([b"a;b\n"], "line 1 is the header, and no row follows"),
    ([b"a;b\n", b"1;2\n", b"\n", b"1;2;3\n"], "line 4: has 3 fields, the header has 2"),
    ([b"a;b\n", b"1;2;3\n", b"4;5;6\n"], "line 2: has 3 fields, the header has 2"),
    ([b"a;b\n", b"1;2\n", b"1\n"], "line 3: has 1 fields, the header has 2"),
    ([b"a;b\n", b"1;\xff\n"], "line 2: not UTF-8"),
    ([b"a;b\n", b'1;"open\n'], "not a valid CSV file: .*EOF inside string starting at row 1"),
]


@pytest.mark.parametrize(("lines", "message"), CASES)
def test_what_is_no_table_is_named(lines: list[bytes], message: str) -> None:
    with pytest.raises(DataError, match=f"^wines: {message}"):
        read_csv(b"".join(lines), "wines", ";")


def test_the_index_is_the_line() -> None:
    table = read_csv(b'\xef\xbb\xbfa;b\n1;2\n\n3;"x\ny"\n4;z\n', "wines", ";")
    assert list(table.columns) == ["a", "b"]
    assert table["a"].to_dict() == {2: 1, 5: 3, 6: 4}
