"""Describes the rows of a batch that break a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.core.warehouse.dataset import Rejected, Violation
from include.core.warehouse.json_row import JsonRow, starting_with
from include.core.warehouse.storable import storable_text
from include.core.warehouse.validation.batch import LINE, SHOWN, shown
from include.core.warehouse.validation.expressions import MISSING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from include.core.warehouse.dataset import Column, Dataset
    from include.core.warehouse.validation.batch import Batch

Row = Mapping[str, Any]
DESCRIBED = 5000  # rejected rows at once


class RowRule(NamedTuple):
    """A rule of the whole row.

    Attributes:
        condition: true for a row that breaks it.
        describe: returns the violation by a row's values, and the received one of the column.
        column: whose received value is needed.
    """

    condition: str
    describe: Callable[[Row, object], Violation]
    column: str | None = None


@dataclass(frozen=True)
class Rejections:
    """Rejected rows of a batch that each iteration describes anew, so that only a few are in memory at once.

    Attributes:
        dataset: the contract.
        row_rules: its rules of the whole row.
        compared: the columns that they need.
        batch: the rows as received.
        values: the rows' values.
        problems: what each row breaks: a column for each checked column and each rule of the whole row.
        positions: of the rejected rows; those that have no values come on top.
        file: where the rows come from, if it is known.
    """

    dataset: Dataset
    row_rules: Sequence[RowRule]
    compared: Collection[str]
    batch: Batch
    values: pa.Table
    problems: pa.Table
    positions: pa.Array[Any]
    file: str | None = None

    def __len__(self) -> int:
        return len(self.batch.malformed) + len(self.positions)

    def __iter__(self) -> Iterator[Rejected]:
        """Yield the rows in the order of their lines."""
        rows: Iterator[Rejected] = chain.from_iterable(map(self._describe, self._parts()))
        if self.batch.malformed:
            rows = merge(self.batch.malformed, rows, key=_line)
        return rows if self.file is None else of_file(self.file, rows)

    def of_file(self, file: str) -> Rejections:
        """Return the same rows, from a file."""
        return replace(self, file=file)

    def texts(self) -> Iterator[tuple[pa.Array[Any], pa.Array[Any]]] | None:
        """Yield row and reason of many rows as texts, in a tenth of the time; ``None`` if not all can be written so."""
        texts = self.batch.texts
        if texts is None or self.batch.malformed or self.dataset.together:
            return None
        start = {} if self.file is None else {"file": self.file}
        return ((starting_with(start, texts(part)), self._reasons(part)) for part in self._parts())

    def _parts(self) -> Iterator[pa.Array[Any]]:
        return (self.positions[start : start + DESCRIBED] for start in range(0, len(self.positions), DESCRIBED))

    def _describe(self, positions: pa.Array[Any]) -> Iterator[Rejected]:
        """Yield the rows at some positions, each with the rules that it breaks."""
        places = positions.to_numpy().tolist()
        violations: dict[int, list[Violation]] = {place: [] for place in places}
        groups: list[tuple[str, ...] | None] = [None] * len(places)
        for column in self.dataset.columns:
            found = self._present(f"problem {column.name}", positions)
            its = self._received(None if column.pii else column.name, [*found])
            for (place, rule), value in zip(found.items(), its, strict=True):
                violations[place].append(violation_of(column, rule, value))
        for index in range(len(self.row_rules)):
            for place, violation in self._broken(index, positions).items():
                violations[place].append(violation)
        if self.dataset.together:
            rows = self.values.select(self.dataset.together).take(positions).to_pylist()
            groups = list(map(self.dataset.group, rows))
        for place, row, group in zip(places, self.batch.show(places), groups, strict=True):
            yield Rejected.of(row, *violations[place], group=group)

    def _reasons(self, positions: pa.Array[Any]) -> pa.Array[Any]:
        """Return the reasons of the rows at some positions, those of :meth:`_describe`."""
        messages: list[Any] = [self._messages(column, positions) for column in self.dataset.columns]
        for index in range(len(self.row_rules)):
            if broken := self._broken(index, positions):
                found = [broken.get(place) for place in positions.to_numpy().tolist()]
                texts = [None if violation is None else storable_text(str(violation)) for violation in found]
                messages.append(pa.array(texts, pa.string()))
        present = [texts for texts in messages if texts is not None]
        reasons: pa.Array[Any] = pc.binary_join_element_wise(*present, "; ", null_handling="skip")
        return reasons

    def _messages(self, column: Column, positions: pa.Array[Any]) -> pa.Array[Any] | None:
        """Return what is wrong with a column's cells, if anything is: each pair of rule and cell is described once."""
        if (rules := self._problems(f"problem {column.name}", positions)) is None:
            return None
        width, cells = len(positions), self.batch.cells[column.name].take(positions)
        by_rule, by_cell = _numbers(rules), _numbers(pa.nulls(width, pa.string()) if column.pii else cells)
        pairs = np.where(by_rule < 0, -1, by_rule * (width + 1) + by_cell + 1)
        _, first, numbers = np.unique(pairs, return_index=True, return_inverse=True)
        values = self._received(None if column.pii else column.name, positions.to_numpy()[first].tolist())
        messages = [
            None if rule is None else storable_text(str(violation_of(column, rule, value)))
            for rule, value in zip(rules.take(first).to_pylist(), values, strict=True)
        ]
        return pa.array(messages, pa.string()).take(numbers)

    def _broken(self, index: int, positions: pa.Array[Any]) -> dict[int, Violation]:
        """Return how the rows at some positions break a rule of the whole row, by position."""
        rule = self.row_rules[index]
        at = [*self._present(f"rule {index}", positions)]
        rows = self.values.select([LINE, *sorted(self.compared)]).take(pa.array(at, pa.int64())).to_pylist()
        received = self._received(rule.column, at)
        return {place: rule.describe(row, value) for place, row, value in zip(at, rows, received, strict=True)}

    def _received(self, column: str | None, at: Sequence[int]) -> Iterable[object]:
        return [None] * len(at) if column is None or not at else self.batch.received(column, at)

    def _present(self, column: str, positions: pa.Array[Any]) -> dict[int, Any]:
        """Return the problems of a column by position, among some positions."""
        if (found := self._problems(column, positions)) is None:
            return {}
        places: Any = pc.filter(positions, pc.is_valid(found))
        return dict(zip(places.to_pylist(), found.drop_null().to_pylist(), strict=True))

    def _problems(self, column: str, positions: pa.Array[Any]) -> pa.Array[Any] | None:
        """Return the problems of a column at some positions, if there are any."""
        if column not in self.problems.column_names or self.problems[column].null_count == self.problems.num_rows:
            return None
        found = self.problems[column].take(positions).combine_chunks()
        return None if found.null_count == len(found) else found


def _numbers(texts: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return a number for each different text, and -1 for NULL."""
    numbers: np.ndarray[Any, np.dtype[np.int64]] = texts.dictionary_encode().indices.fill_null(-1).to_numpy()
    return numbers.astype(np.int64)


def of_file(file: str, rejected: Iterable[Rejected]) -> Iterator[Rejected]:
    """Yield rows with the file that they come from, unless they name one themselves."""
    for item in rejected:
        row = item.row.after("file", file) if isinstance(item.row, JsonRow) else {"file": file, **item.row}
        yield Rejected(row, *item[1:])


def violation_of(column: Column, rule: str, value: object) -> Violation:
    """Return the violation of a received value: as it was received, and in the message as :func:`shown` shows it."""
    if column.pii or rule == MISSING:
        return Violation(column.name, rule)
    message = f"{column.name}: {rule} (got {shown(value)})"
    return Violation(column.name, rule, as_sent(value), message)


def as_sent(value: object) -> str:
    """Return a received value in the form of a violation."""
    return value[:SHOWN] if isinstance(value, str) else shown(value)


def _line(rejected: Rejected) -> int:
    line = rejected.row["line"]
    return line if isinstance(line, int) else 0
