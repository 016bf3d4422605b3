"""The dataset of a source."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from include.core.warehouse.calendar import Calendar
from include.core.warehouse.dataset import Column, Dataset, Type
from include.core.warehouse.history_settings import History, Recurring

if TYPE_CHECKING:
    from include.core.sources.model import ColumnContract, Kind, Source

POSTGRES: dict[Kind, Type] = {
    "text": "text",
    "integer": "bigint",
    "number": "double precision",
    "decimal": "numeric",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
}


def dataset_of(source: Source) -> Dataset:
    """Return the dataset ``<name>_data``: the day, the line if it is part of the key, and the contract's columns."""
    line = (Column("line", "bigint", minimum=1, doc="Position of the row in the day's response, from 1"),)
    return Dataset(
        name=source.table,
        columns=(
            Column("day", "date", doc=f"Day of the source, in the time zone {source.timezone}"),
            *(line if "line" in source.key else ()),
            *(_column(name, column) for name, column in source.columns.items()),
        ),
        key=("day", *source.key),
        partition="day",
        minimum_rows=source.minimum_rows,
        day_column=source.day_column,
        timezone=source.timezone,
        rules=source.rules,
        together=source.together,
        calendar=Calendar(no_data_on=source.no_data_on),
        freshness=None if source.freshness is None else dt.timedelta(hours=source.freshness),
        duplicates="reject",
        history=_history(source),
    )


def _history(source: Source) -> History:
    settings = source.history
    return History(
        recurring=tuple(Recurring(item.column, item.by) for item in settings.recurring),
        limit=settings.limit,
        days=settings.days,
        ignored=(*settings.ignored, *(("line",) if "line" in source.key else ())),
        off=settings.off,
    )


def _column(name: str, column: ColumnContract) -> Column:
    doc = f"{column.doc} (personal data)".strip() if column.pii else column.doc
    return Column(
        name,
        POSTGRES[column.type],
        column.nullable,
        column.minimum,
        column.maximum,
        doc,
        column.pii,
        column.allowed,
        column.pattern,
        column.null_words,
        column.ambiguous,
    )
