"""Finds the rows that share a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from include.core.warehouse.dataset import Rejected, Violation
from include.core.warehouse.validation.batch import LINE
from include.core.warehouse.validation.expressions import name

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from include.core.warehouse.dataset import Dataset
    from include.core.warehouse.validation.batch import Batch

SHOWN_LINES = 5
COPY, CONTRADICTION = "copy of another row", "another row has the same key but different values"


class Duplicates:
    """The keys of accepted rows, in DuckDB, which keeps them on disk if they are many.

    Args:
        connection: with the functions of :class:`~include.core.warehouse.validation.engine.Judge`.
        dataset: the contract.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
        self.connection = connection
        self.key = [column for column in dataset.key if column != dataset.partition] or list(dataset.key)
        values = {
            column.name: f"canonical({name(column.name)})" if column.type == "numeric" else name(column.name)
            for column in dataset.columns
        }
        keys = [f"{values[column]} AS {name(f'key {number}')}" for number, column in enumerate(self.key)]
        self.by_key = ", ".join(name(f"key {number}") for number in range(len(self.key)))
        row = f"md5(CAST(row({', '.join(values.values())}) AS VARCHAR))"
        group = ", ".join(f"CAST({name(column)} AS VARCHAR)" for column in dataset.together)
        together = f"[{group}]" if group else "CAST(NULL AS VARCHAR[])"
        self.selected = f"{name(LINE)} AS line, {', '.join(keys)}, {row} AS digest, {together} AS together"
        self.is_empty = True

    def add(self, accepted: pa.Table) -> None:
        """Remember the keys of some rows."""
        if not accepted.num_rows:
            return
        relation = self.connection.from_arrow(accepted).project(self.selected)
        if self.is_empty:
            relation.create("keys")
            self.is_empty = False
        else:
            relation.insert_into("keys")

    def find(self) -> bool:
        """Find the rows to reject, and return whether there are any."""
        if self.is_empty:
            return False
        self.connection.execute(
            f"CREATE TABLE repeated AS"  # noqa: S608  # names of the dataset, quoted
            f" WITH groups AS (SELECT {self.by_key}, min(line, {SHOWN_LINES}) AS lines, count(*) AS count,"
            f" min(digest) <> max(digest) AS differ FROM keys GROUP BY ALL HAVING count(*) > 1)"
            f" SELECT line, lines, count, differ, together FROM keys JOIN groups USING ({self.by_key})"
            f" WHERE differ OR line <> lines[1]"
        ).fetchall()
        return bool(self.connection.execute("SELECT count(*) FROM repeated").fetchall()[0][0])

    def lines(self, among: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
        """Return the lines of rows to reject, among those of a range."""
        found: pa.Table = self._between(among).select("line").to_arrow_table()
        return found["line"]

    def rejected(self, batch: Batch) -> Iterator[Rejected]:
        """Yield the rows of a batch to reject."""
        if not len(batch.lines):
            return
        found = {line: others for line, *others in self._between(batch.lines).fetchall()}
        positions = [position for position, line in enumerate(batch.lines.to_pylist()) if line in found]
        field = ", ".join(self.key)
        for position, row in zip(positions, batch.show(positions), strict=True):
            lines, count, differ, together = found[batch.lines[position].as_py()]
            more = f" and {count - SHOWN_LINES} more" if count > SHOWN_LINES else ""
            if differ:
                rule = CONTRADICTION
                message = f"the lines {', '.join(map(str, lines))}{more} have the same key but different values"
            else:
                rule, message = COPY, f"copy of line {lines[0]}, which is loaded"
            violation = Violation(field, rule, None, f"{field}: {message}")
            group = None if together is None or None in together else tuple(together)
            yield Rejected.of(row, violation, group=group, is_copy=not differ)

    def _between(self, lines: pa.Array[Any] | pa.ChunkedArray[Any]) -> duckdb.DuckDBPyRelation:
        return self.connection.table("repeated").filter(f"line BETWEEN {lines[0]} AND {lines[-1]}")
