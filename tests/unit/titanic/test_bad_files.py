"""Passenger lists that can't be used: the error names file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from upath import UPath

from devstack.state import REPOSITORY
from include.core.ml.errors import DataError
from include.domains.titanic.passengers import prepare

LINES = (REPOSITORY / "include/data/titanic/train.csv").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (LINES[0], "line 1 is the header, and no row follows"),
        (b"".join([*LINES[:7], LINES[7].rstrip() + b",extra\n", *LINES[8:]]), "line 8: has 13 fields"),
        (b"".join([*LINES[:3], b"\n", LINES[3].replace(b",7.925,", b",inf,")]), "line 5, column Fare: .*finite"),
    ],
    ids=["empty", "header", "ragged", "infinite"],
)
def test_a_file_that_is_no_passenger_list_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = UPath(tmp_path / "passengers.csv")
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"passengers\.csv: passenger list: {message}"):
        prepare(file, UPath(tmp_path / "root"), "run")
