"""Wine files that can't be used: the error names file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from upath import UPath

from devstack.state import REPOSITORY
from include.core.ml.errors import DataError
from include.domains.wine import data, pipeline

LINES = (REPOSITORY / "include/data/wine_quality/winequality-red.csv").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("value", [b"inf", b"-inf", b"1e999", b""])
def test_a_measurement_that_is_not_finite_is_named(value: bytes) -> None:
    rows = [*LINES[:4], value + LINES[4][LINES[4].index(b";") :], *LINES[5:]]
    with pytest.raises(DataError, match=r"red wines: 1 row\(s\) have a missing, infinite .*; the first is line 5"):
        data.read(b"".join(rows), "red")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (LINES[0], "line 1 is the header, and no row follows"),
        (b"".join([*LINES[:7], LINES[7].rstrip() + b";5\n", *LINES[8:]]), "line 8: has 13 fields"),
    ],
    ids=["empty", "header", "ragged"],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "winequality-red.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"winequality-red\.csv: red wines: {message}"):
        pipeline.train(UPath(tmp_path), UPath(tmp_path / "root"), "red", "run", ["extra_trees"])
