"""The passenger list: what a row must look like, in training and in a request alike."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from include.core.ml.errors import DataError
from include.core.ml.spec import plain
from include.core.storage import file_name, write

if TYPE_CHECKING:
    from include.core.storage import File

LABEL = "Survived"
KEY = "PassengerId"
MINIMUM_ROWS = 100
SHOWN_ERRORS = 5

log = logging.getLogger(__name__)

NO_NUL = r"^[^\x00]*$"  # which PostgreSQL can't keep
Count = Annotated[int, Field(ge=0, le=20)]


class Passenger(BaseModel):
    """One passenger as the list has him or her; ages in years, fares in pounds of 1912.

    Columns and meanings: "Titanic - Machine Learning from Disaster", Kaggle 2012.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    Pclass: Literal[1, 2, 3]
    Name: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
    Sex: Literal["male", "female"]
    Age: Annotated[float, Field(ge=0, le=120)] | None = None
    SibSp: Count
    Parch: Count
    Ticket: Annotated[str, Field(max_length=50, pattern=NO_NUL)]
    Fare: Annotated[float, Field(ge=0, le=10_000)] | None = None
    Cabin: Annotated[str, Field(max_length=50, pattern=NO_NUL)] | None = None
    Embarked: Literal["C", "Q", "S"] | None = None


class LabelledPassenger(Passenger):
    """A passenger of whom is known whether he or she survived."""

    PassengerId: Annotated[int, Field(ge=1)]
    Survived: Literal[0, 1]


COLUMNS = tuple(Passenger.model_fields)
DTYPES = {
    "Pclass": "int64",
    "Name": "str",
    "Sex": "str",
    "Age": "float64",
    "SibSp": "int64",
    "Parch": "int64",
    "Ticket": "str",
    "Fare": "float64",
    "Cabin": "str",
    "Embarked": "str",
}


def read(csv: bytes) -> pd.DataFrame:
    """Return the labelled passengers of a CSV file: :data:`KEY`, :data:`LABEL` and :data:`COLUMNS`.

    Raises:
        DataError: naming file line, column and value of what breaks a rule; nothing is dropped in silence.
    """
    try:
        raw = pd.read_csv(io.BytesIO(csv), dtype={"Name": str, "Ticket": str, "Cabin": str}, keep_default_na=True)
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"passenger list: no CSV file: {error}") from error
    try:
        passengers = TypeAdapter(list[LabelledPassenger]).validate_python(plain(raw))
    except ValidationError as error:
        raise DataError(f"passenger list: {_described(error)}") from error
    if len(passengers) < MINIMUM_ROWS:
        raise DataError(f"passenger list: {len(passengers)} rows; at least {MINIMUM_ROWS} are needed to judge a model")
    labels = pd.Series([passenger.Survived for passenger in passengers], dtype="int64")
    keys = pd.Series([passenger.PassengerId for passenger in passengers], dtype="int64")
    if keys.duplicated().any():
        raise DataError(f"passenger list: {KEY} stands more than once: {sorted(set(keys[keys.duplicated()]))[:5]}")
    if labels.nunique() < 2:
        raise DataError(f"passenger list: {LABEL} is {labels.iloc[0]} in every row; both outcomes are needed")
    content = [passenger.model_dump(include=set(COLUMNS)) for passenger in passengers]
    table = pd.DataFrame(content, columns=list(COLUMNS)).astype(DTYPES)
    table.insert(0, LABEL, labels)
    table.insert(0, KEY, keys)
    return table


def prepare(source: File, root: File, run_id: str) -> str:
    """Check the passenger list and keep it as Parquet; return the file's URL.

    Raises:
        DataError: naming line, column and value of what breaks a rule.
    """
    passengers = read(source.read_bytes())
    buffer = io.BytesIO()
    passengers.to_parquet(buffer, index=False)
    log.info("%s: %d passengers, %d survived", source, len(passengers), passengers[LABEL].sum())
    return write(root / "titanic" / file_name(run_id) / "passengers.parquet", buffer.getvalue())


def _described(error: ValidationError) -> str:
    found = error.errors(include_url=False)
    lines = [
        f"line {int(one['loc'][0]) + 2}, column {'.'.join(map(str, one['loc'][1:]))}: {one['msg']}"
        f" (found {one['input']!r})"
        for one in found[:SHOWN_ERRORS]
    ]
    more = f"; and {len(found) - SHOWN_ERRORS} more" if len(found) > SHOWN_ERRORS else ""
    return "; ".join(lines) + more
