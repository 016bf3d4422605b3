"""The wine files and the two protocols."""

from __future__ import annotations

import pytest
from sklearn.tree import DecisionTreeClassifier

from devstack.state import REPOSITORY
from include.core.ml.errors import DataError
from include.domains.wine.data import read
from include.domains.wine.experiment import cross_validate

FOLDER = REPOSITORY / "include/data/wine_quality"


@pytest.mark.parametrize(("colour", "rows", "copies"), [("red", 1599, 240), ("white", 4898, 937)])
def test_the_files_are_read_completely(colour: str, rows: int, copies: int) -> None:
    wines = read((FOLDER / f"winequality-{colour}.csv").read_bytes(), colour)
    assert (len(wines.grades), wines.copies) == (rows, copies)


def test_duplicates_inflate_the_accuracy_of_a_model_that_memorizes() -> None:
    wines = read((FOLDER / "winequality-red.csv").read_bytes(), "red")
    scores = cross_validate(DecisionTreeClassifier(random_state=1), wines)
    assert scores.paper_accuracy > scores.grouped_accuracy + 0.05


def test_bad_files_are_refused() -> None:
    content = (FOLDER / "winequality-red.csv").read_bytes()
    with pytest.raises(DataError, match="red wines: the columns are"):
        read(content.replace(b";", b","), "red")
    lines = content.splitlines()
    lines[1] = lines[1].replace(b"7.4;", b"sour;", 1)
    with pytest.raises(DataError, match="the first is line 2"):
        read(b"\n".join(lines), "red")
