"""The passenger list as a file."""

from __future__ import annotations

from include.core.formats.contract import FileContract
from include.core.ml.contract import dataset_of_model
from include.domains.titanic.passengers import KEY, PASSENGER_LIST, LabelledPassenger

PASSENGERS_FILE = FileContract(
    dataset_of_model("titanic", LabelledPassenger, KEY, minimum_rows=PASSENGER_LIST.minimum_rows),
    delimiter=",",
    check=PASSENGER_LIST.read,
)
