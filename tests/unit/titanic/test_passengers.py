"""The passenger list: the real one is read completely, and rule violations are named."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from devstack.state import REPOSITORY
from include.core.ml.errors import DataError
from include.core.ml.spec import content_digest
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST, Passenger
from include.domains.titanic.spec import TITANIC

LIST = (REPOSITORY / "include/data/titanic/train.csv").read_bytes()


def changed(index: int, **values: Any) -> bytes:
    table = pd.read_csv(REPOSITORY / "include/data/titanic/train.csv").astype(object)
    for name, value in values.items():
        table.loc[index, name] = value
    return table.to_csv(index=False).encode()


def test_the_list_is_read_completely() -> None:
    table = PASSENGER_LIST.read(LIST)
    assert (len(table), int(table[LABEL].sum())) == (891, 342)
    assert table.isna().sum()[lambda count: count > 0].to_dict() == {"Age": 177, "Cabin": 687, "Embarked": 2}
    assert content_digest(table) == content_digest(PASSENGER_LIST.read(LIST))


def test_a_request_is_read_like_a_row_of_the_list() -> None:
    table = PASSENGER_LIST.read(LIST)[list(COLUMNS)].head(20)
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    pd.testing.assert_frame_equal(TITANIC.frame([Passenger.model_validate(row) for row in records]), table)


@pytest.mark.parametrize(("values", "message"), [
    ({"Sex": "unknown"}, r"line 12, column Sex: .*'male' or 'female'$"),
    ({"Pclass": 4}, r"line 12, column Pclass: .*1, 2 or 3"),
    ({"Fare": -1.0}, r"line 12, column Fare: .*greater than or equal to 0"),
    ({"Age": 400}, r"line 12, column Age: .*less than or equal to 120"),
    ({"Survived": 2}, r"line 12, column Survived: .*0 or 1"),
    ({"PassengerId": 1}, "PassengerId of an earlier line on line 12"),
])  # fmt: skip
def test_a_bad_value_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        PASSENGER_LIST.read(changed(10, **values))


def test_other_files_are_refused() -> None:
    with pytest.raises(DataError, match="12 rows; at least 100 are needed"):
        PASSENGER_LIST.read(b"\n".join(LIST.splitlines()[:13]))
    with pytest.raises(DataError, match="column Sex: Field required"):
        PASSENGER_LIST.read(LIST.replace(b",Sex,", b",Gender,", 1))
    all_died = pd.read_csv(REPOSITORY / "include/data/titanic/train.csv").assign(Survived=0)
    with pytest.raises(DataError, match="Survived is 0 in every row"):
        PASSENGER_LIST.read(all_died.to_csv(index=False).encode())
