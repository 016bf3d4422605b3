"""The passenger list: the schema of a row, for training and for requests, and reading of the file."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from include.core.ml.errors import DataError
from include.core.ml.spec import to_records
from include.core.ml.tables import read_csv
from include.core.storage import file_name, write
from include.domains.titanic.settings import TRAININGS

if TYPE_CHECKING:
    from include.core.storage import File

LABEL = "Survived"
KEY = "PassengerId"
MINIMUM_ROWS = 100
SHOWN_ERRORS = 5
LARGEST_LIST = 10_000_000

log = logging.getLogger(__name__)

NO_NUL = r"^[^\x00]*$"  # PostgreSQL can't store NUL
Count = Annotated[int, Field(ge=0, le=20)]


class Passenger(BaseModel):
    """A passenger as in the list; ages in years, fares in pounds of 1912.

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
    """A passenger whose outcome is known."""

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
        DataError: naming line and column of what is invalid, without any content of the file, because whoever can
            start a run may not be allowed to read it; nothing is dropped silently.
    """
    raw = read_csv(csv, "passenger list", dtype={"Name": str, "Ticket": str, "Cabin": str})
    try:
        passengers = TypeAdapter(list[LabelledPassenger]).validate_python(to_records(raw))
    except ValidationError as error:
        raise DataError(f"passenger list: {_described(error, raw)}") from None
    if len(passengers) < MINIMUM_ROWS:
        raise DataError(
            f"passenger list: {len(passengers)} rows; at least {MINIMUM_ROWS} are needed to evaluate a model"
        )
    labels = pd.Series([passenger.Survived for passenger in passengers], dtype="int64")
    keys = pd.Series([passenger.PassengerId for passenger in passengers], dtype="int64")
    if keys.duplicated().any():
        repeated = list(raw.index[keys.duplicated()])[:SHOWN_ERRORS]
        raise DataError(f"passenger list: {KEY} of an earlier line on line {', '.join(map(str, repeated))}")
    if labels.nunique() < 2:
        raise DataError(f"passenger list: {LABEL} is {labels.iloc[0]} in every row; both outcomes are needed")
    rows = [passenger.model_dump(include=set(COLUMNS)) for passenger in passengers]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(DTYPES)
    table.insert(0, LABEL, labels)
    table.insert(0, KEY, keys)
    return table


def prepare(csv: bytes, source: str, root: File, run_id: str) -> str:
    """Validate the passenger list and store it as Parquet; return the stored file's URL.

    Args:
        csv: the list.
        source: its URL, for messages.
        root: root of object storage.
        run_id: DAG run, which names the folder.

    Raises:
        DataError: naming line and column of what is invalid.
    """
    try:
        passengers = read(csv)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    buffer = io.BytesIO()
    passengers.to_parquet(buffer, index=False)
    log.info("%s: %d passengers, %d survived", source, len(passengers), passengers[LABEL].sum())
    return write(root / TRAININGS.folder / file_name(run_id) / "passengers.parquet", buffer.getvalue())


def _described(error: ValidationError, rows: pd.DataFrame) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [
        f"line {rows.index[int(row)]}, column {_column(name, rows)}: {detail['msg']}"
        for detail in details[:SHOWN_ERRORS]
        for row, name, *_ in [detail["loc"]]
    ]
    more = f"; and {len(details) - SHOWN_ERRORS} more" if len(details) > SHOWN_ERRORS else ""
    return "; ".join(lines) + more


def _column(name: str | int, rows: pd.DataFrame) -> str:
    """Return a column's name, or the number of one whose name is the file's own."""
    return str(name) if name in LabelledPassenger.model_fields else f"number {list(rows.columns).index(str(name)) + 1}"
