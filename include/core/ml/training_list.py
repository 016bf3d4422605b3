"""Reads the labelled list that a model is trained on."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel, TypeAdapter, ValidationError

from include.core.ml.errors import DataError
from include.core.ml.spec import to_records
from include.core.ml.tables import read_csv
from include.core.storage import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from include.core.storage import File

SHOWN_ERRORS = 5
LARGEST_LIST = 10_000_000
"""Maximum size of a list, in bytes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingList:
    """A CSV file with a row for each example.

    Attributes:
        name: what the file is; starts each error message.
        row: schema of a row with its label, and its key if it has one.
        dtypes: pandas type of each column that a model gets; a ``str`` is never read as a number.
        label: column of the outcome.
        classes: the two outcomes; a label becomes 0 or 1, its position here.
        key: column that is different in each row; empty if there is none.
        minimum_rows: minimum number of rows.
        headers: a column's name in the file, if it isn't the field's.
        ignored: names of columns that the file may also have.
    """

    name: str
    row: type[BaseModel]
    dtypes: Mapping[str, str]
    label: str
    classes: Sequence[Any] = (0, 1)
    key: str = ""
    minimum_rows: int = 100
    headers: Mapping[str, str] = field(default_factory=dict)
    ignored: Sequence[str] = ()

    def read(self, csv: bytes) -> pd.DataFrame:
        """Return the rows of a CSV file: the key if there is one, the label as 0 or 1, and the model's columns.

        Raises:
            DataError: naming line and column of what is invalid, without any content of the file, because whoever can
                start a run may not be allowed to read it; nothing is dropped silently.
        """
        texts = [name for name, dtype in self.dtypes.items() if dtype == "str"]
        if self.key and self.row.model_fields[self.key].annotation is str:
            texts.append(self.key)
        fields = {header: name for name, header in self.headers.items()}
        raw = read_csv(csv, self.name, dtype=dict.fromkeys([self.headers.get(name, name) for name in texts], str))
        raw = raw.drop(columns=list(self.ignored), errors="ignore").rename(columns=fields)
        try:
            rows = TypeAdapter(list[self.row]).validate_python(to_records(raw))  # type: ignore[name-defined]
        except ValidationError as error:
            raise DataError(f"{self.name}: {self._described(error, raw)}") from None
        if len(rows) < self.minimum_rows:
            raise DataError(
                f"{self.name}: {len(rows)} rows; at least {self.minimum_rows} are needed to evaluate a model"
            )
        table = pd.DataFrame([row.model_dump(include=set(self.dtypes)) for row in rows], columns=list(self.dtypes))
        table = table.astype(dict(self.dtypes))
        labels = [list(self.classes).index(getattr(row, self.label)) for row in rows]
        if len(set(labels)) < 2:
            raise DataError(
                f"{self.name}: {self.label} is {self.classes[labels[0]]} in every row; both outcomes are needed"
            )
        table.insert(0, self.label, pd.Series(labels, dtype="int64"))
        if self.key:
            keys = pd.Series([getattr(row, self.key) for row in rows])
            if keys.duplicated().any():
                repeated = list(raw.index[keys.duplicated()])[:SHOWN_ERRORS]
                raise DataError(f"{self.name}: {self.key} of an earlier line on line {', '.join(map(str, repeated))}")
            table.insert(0, self.key, keys)
        return table

    def prepare(self, csv: bytes, source: str, file: File) -> str:
        """Validate a list and store it as Parquet; return the stored file's URL.

        Args:
            csv: the list.
            source: its URL, for messages.
            file: where to store it.

        Raises:
            DataError: naming line and column of what is invalid.
        """
        try:
            table = self.read(csv)
        except DataError as error:
            raise DataError(f"{source}: {error}") from error
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        log.info("%s: %d rows, %d of them with %s", source, len(table), table[self.label].sum(), self.label)
        return write(file, buffer.getvalue())

    def _described(self, error: ValidationError, rows: pd.DataFrame) -> str:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [
            f"line {rows.index[int(row)]}, column {self._column(name, rows)}: {detail['msg']}"
            for detail in details[:SHOWN_ERRORS]
            for row, name, *_ in [detail["loc"]]
        ]
        more = f"; and {len(details) - SHOWN_ERRORS} more" if len(details) > SHOWN_ERRORS else ""
        return "; ".join(lines) + more

    def _column(self, name: str | int, rows: pd.DataFrame) -> str:
        """Return a column's name, or the number of one whose name is the file's own."""
        return str(name) if name in self.row.model_fields else f"number {list(rows.columns).index(str(name)) + 1}"
