from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from include.core.warehouse.dataset import Column, Dataset

if TYPE_CHECKING:
    from include.core.warehouse.dataset import Partition

DAY, CITY, DEGREES = Column("date", "date"), Column("city", "text"), Column("degrees", "double precision", maximum=60)
UNKNOWN: Any = "float"
WEATHER = Dataset("weather", (DAY, CITY, DEGREES), key=("date", "city"), partition="date", complete_by="city")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": (DAY, CITY, replace(DEGREES, type=UNKNOWN))}, "column 'degrees' has type 'float'; allowed:"),
        ({"columns": (DAY, replace(CITY, maximum=3))}, "column 'city' has a range, but its type 'text'"),
        ({"columns": (DAY, replace(CITY, nullable=True))}, "column 'city' is part of the key and can't be nullable"),
        ({"columns": (DAY, CITY, CITY)}, "columns \\['city'\\] are declared twice"),
        ({"columns": (DAY, CITY, Column("load_id", "bigint"))}, "columns \\['load_id'\\] .*reserved"),
        ({"key": ()}, "the key is empty"),
        ({"key": ("date", "town")}, "key names 'town', which isn't among the columns"),
        ({"complete_by": "town"}, "complete_by names 'town'"),
        ({"key": ("city",)}, "partition 'date' must be part of the key"),
        ({"key": ("date", "degrees"), "partition": "degrees"}, "partition 'degrees' has type 'double"),
    ],
)  # fmt: skip
def test_a_declaration_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"dataset 'weather': {message}"):
        replace(WEATHER, **changes)


@pytest.mark.parametrize(
    ("column", "partition", "label"),
    [
        (DAY, date(2024, 2, 29), "2024-02-29"),
        (DAY, "2024-02-29", "2024-02-29"),
        (DAY, "20240229", "2024-02-29"),
        (CITY, "New York", "New York"),
        (Column("year", "integer"), 2024, "2024"),
        (None, None, "all"),
    ],
)
def test_a_partition_has_one_label(column: Column | None, partition: Partition, label: str) -> None:
    name = column.name if column else None
    dataset = Dataset("weather", (column or CITY,), key=(name or "city",), partition=name)
    assert dataset.partition_label(partition) == label


@pytest.mark.parametrize(
    ("partition", "message"),
    [
        (datetime(2024, 2, 29, 12, tzinfo=UTC), "isn't a date for 'date'"),
        ("2024-02-30", "day"),
        (None, "partition None isn't a date"),
        (7, "partition 7 isn't a date"),
    ],
)
def test_an_invalid_partition_is_refused(partition: Partition, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WEATHER.partition_label(partition)


def test_a_dataset_without_partitions_refuses_one() -> None:
    with pytest.raises(ValueError, match="has no partition column, but partition 'x' was given"):
        Dataset("cities", (CITY,), key=("city",)).partition_label("x")
