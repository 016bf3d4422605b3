"""Reads the rows of a table in memory for a dataset; Parquet files and frames become one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from include.core.warehouse.dataset import HIDDEN
from include.core.warehouse.validation.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from include.core.warehouse.dataset import Dataset

ROWS = 50_000


class TableReader:
    """The rows of a table that has columns of the dataset.

    Args:
        table: the rows; a value is judged by its text, such as ``1.5`` or ``2024-06-01``.
        dataset: the contract.
        origins: what quarantine shows of each row; by default, its values.
    """

    def __init__(
        self, table: pa.Table, dataset: Dataset, origins: Sequence[Mapping[str, object]] | None = None
    ) -> None:
        self.table = table.select([name for name in dataset.column_names if name in table.column_names])
        self.personal, self.origins = dataset.personal, origins

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows in batches."""
        for start in range(0, self.table.num_rows, ROWS):
            yield self._batch(start, self.table.slice(start, ROWS))

    def _batch(self, start: int, rows: pa.Table) -> Batch:
        def show(positions: Sequence[int]) -> Iterator[Mapping[str, object]]:
            for position, values in zip(positions, rows.take(positions).to_pylist(), strict=True):
                shown = {name: HIDDEN if name in self.personal else value for name, value in values.items()}
                origin = shown if self.origins is None else self.origins[start + position]
                yield {"line": start + position + 1, **origin}

        def received(column: str, positions: Sequence[int]) -> list[object]:
            return rows[column].take(positions).to_pylist()

        lines = pa.array(range(start + 1, start + rows.num_rows + 1), pa.int64())
        texts = {name: rows[name].cast(pa.string()).combine_chunks() for name in rows.column_names}
        return Batch(lines, texts, show, received)
