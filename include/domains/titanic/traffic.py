"""Sample requests for the model server, for a stack without other clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from include.domains.titanic.features import segment
from include.domains.titanic.passengers import COLUMNS, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC

if TYPE_CHECKING:
    import pandas as pd

SPEC = TITANIC
MODEL = "titanic_model"
"""The asset that is updated when a model has been deployed."""
LIST = Path(__file__).parents[2] / "data" / "titanic" / "train.csv"
YEARS = 20


def rows(count: int, seed: int) -> pd.DataFrame:
    """Sample passengers from the list, with replacement."""
    passengers = PASSENGER_LIST.read(LIST.read_bytes())[list(COLUMNS)]
    return passengers.sample(count, replace=True, random_state=seed).reset_index(drop=True)


def shifted(passengers: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the passengers with one segment :data:`YEARS` years older."""
    return passengers.assign(Age=passengers["Age"] + YEARS * segment(passengers).eq(name))
