"""The passenger list: the schema of a row, for training and for requests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from include.core.ml.training_list import TrainingList

LABEL = "Survived"
KEY = "PassengerId"
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


PASSENGER_LIST = TrainingList("passenger list", LabelledPassenger, DTYPES, LABEL, key=KEY)
