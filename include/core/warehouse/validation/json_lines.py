"""Reads JSON lines for a dataset, in batches. Numbers keep their digits."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from include.core import exact_json
from include.core.warehouse.dataset import HIDDEN, Rejected, Violation
from include.core.warehouse.storable import storable_text
from include.core.warehouse.validation.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from include.core.warehouse.dataset import Dataset

ROWS, CHARACTERS = 20_000, 4 * 1024 * 1024

Cell = tuple[str | None, str | None]


class JsonLines:
    """The rows of a file of JSON lines, from the start each time.

    Args:
        lines: returns the lines, one JSON text each.
        dataset: the contract.
        fields: field of the row, by column that the rows have.
        file: stored in quarantine with the line.

    Attributes:
        unknown: how many rows have each field that isn't in the contract.
    """

    def __init__(
        self, lines: Callable[[], Iterable[str | bytes]], dataset: Dataset, fields: Mapping[str, str], file: str
    ) -> None:
        self.lines, self.fields, self.file = lines, fields, file
        self.personal = dataset.personal
        self.public = {field for column, field in fields.items() if column not in self.personal}
        self.unknown: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows in batches of a few megabytes."""
        self.unknown.clear()
        rows: dict[int, dict[str, Any]] = {}
        malformed: list[Rejected] = []
        size = 0
        for number, line in enumerate(self.lines(), start=1):
            size += len(line)
            try:
                row = exact_json.loads(line)
            except ValueError as error:
                malformed.append(self._malformed(number, HIDDEN, f"must be valid JSON: {error}"))
            else:
                if isinstance(row, dict):
                    rows[number] = row
                    self.unknown.update(row.keys() - self.fields.values())
                else:
                    shown = HIDDEN if self.personal else row
                    malformed.append(self._malformed(number, shown, "must be an object of fields"))
            if len(rows) + len(malformed) >= ROWS or size >= CHARACTERS:
                yield self._batch(rows, malformed)
                rows, malformed, size = {}, [], 0
        if rows or malformed:
            yield self._batch(rows, malformed)

    def _malformed(self, line: int, row: Any, rule: str) -> Rejected:
        return Rejected.of({"file": self.file, "line": line, "row": row}, Violation("", rule))

    def _batch(self, rows: Mapping[int, dict[str, Any]], malformed: Sequence[Rejected]) -> Batch:
        cells, kinds = {}, {}
        for column, field in self.fields.items():
            cells[column], kinds[column] = _columns([_cell(row.get(field)) for row in rows.values()])
        numbers = list(rows)

        def show(positions: Sequence[int]) -> Iterator[Mapping[str, object]]:
            for position in positions:
                number = numbers[position]
                row = rows[number]
                shown = {field: value if field in self.public else HIDDEN for field, value in row.items()}
                yield {"file": self.file, "line": number, "row": shown}

        def received(column: str, positions: Sequence[int]) -> Iterator[object]:
            return (rows[numbers[position]].get(self.fields[column]) for position in positions)

        return Batch(pa.array(numbers, pa.int64()), cells, show, received, kinds, malformed)


def _cell(value: Any) -> Cell:
    """Return the text of a value, and its kind."""
    if value is None:
        return None, None
    if isinstance(value, str):
        return value, "s"
    if isinstance(value, bool):
        return ("true" if value else "false"), "b"
    if isinstance(value, int | float | Decimal):
        return str(value), "n"
    return "", "o"


def _columns(cells: Sequence[Cell]) -> tuple[pa.Array[Any], pa.Array[Any]]:
    """Return the texts and the kinds; a string with a lone surrogate, which has no UTF-8, gets the kind ``u``."""
    texts, kinds = [text for text, _ in cells], [kind for _, kind in cells]
    try:
        return pa.array(texts, pa.string()), pa.array(kinds, pa.string())
    except UnicodeEncodeError:
        storable = [text if text is None else storable_text(text) if _is_lone(text) else text for text in texts]
        kinds = ["u" if text is not None and _is_lone(text) else kind for text, kind in cells]
        return pa.array(storable, pa.string()), pa.array(kinds, pa.string())


def _is_lone(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
