"""Passenger lists that can't be used: the error names file, line and column, and has nothing of their content."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from upath import UPath

from devstack.state import REPOSITORY
from include.core.ml.errors import DataError
from include.domains.titanic.passengers import PASSENGER_LIST

LINES = (REPOSITORY / "include/data/titanic/train.csv").read_bytes().splitlines(keepends=True)
SECRET = "hunter2"  # pragma: allowlist secret


def refused(content: bytes, tmp_path: Path) -> pytest.ExceptionInfo[DataError]:
    with pytest.raises(DataError) as caught:
        PASSENGER_LIST.prepare(content, "passengers.csv", UPath(tmp_path) / "passengers.parquet")
    assert not list(tmp_path.iterdir())
    return caught


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (LINES[0], "line 1 is the header, and no row follows"),
        (b"".join([*LINES[:7], LINES[7].rstrip() + b",extra\n", *LINES[8:]]), "line 8: has 13 fields"),
        (b"".join([*LINES[:3], b"\n", LINES[3].replace(b",7.925,", b",inf,")]), "line 5, column Fare: .*finite"),
        (b"".join([*LINES, LINES[1], LINES[2]]), "PassengerId of an earlier line on line 893, 894"),
    ],
    ids=["empty", "header", "ragged", "infinite", "repeated"],
)
def test_a_file_that_is_no_passenger_list_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    refused(content, tmp_path).match(rf"passengers\.csv: passenger list: {message}")


@pytest.mark.parametrize(
    "content",
    [
        f"root:{SECRET}:0\nbin:{SECRET}:1\n",
        f"{SECRET},b\n1,2\n",
        f"a,b\n{SECRET},2\n{SECRET},3,4\n",
        f'a,"b\n{SECRET}',
        f"{SECRET},{SECRET}\n{SECRET},{SECRET}\n",
        f"{SECRET}\n\N{BROKEN BAR}".encode("latin-1"),
        f"a,b\n{SECRET}\0,2\n",
        b"".join([*LINES[:3], LINES[3].replace(b"female", SECRET.encode())]),
        b"".join([*LINES[:3], LINES[3].replace(b",7.925,", f",{SECRET},".encode())]),
        b"".join([*LINES[:3], LINES[3].replace(b"3,1,3,", f"{SECRET},1,3,".encode())]),
        b"".join([LINES[0].replace(b"Cabin", SECRET.encode()), *LINES[1:]]),
    ],
)
def test_an_error_contains_nothing_of_the_file(tmp_path: Path, content: str | bytes) -> None:
    error = refused(content if isinstance(content, bytes) else content.encode(), tmp_path)
    assert SECRET not in "".join(traceback.format_exception(error.value))
