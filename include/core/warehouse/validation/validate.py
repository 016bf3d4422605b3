"""Validates the rows of a reader, from the first to the last."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from include.core.ahead import ahead
from include.core.warehouse.validation.batch import LINE, Judged
from include.core.warehouse.validation.duplicates import Duplicates
from include.core.warehouse.validation.engine import Judge, database
from include.core.warehouse.validation.rejections import Rejections, of_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from include.core.warehouse.dataset import Dataset, Partition
    from include.core.warehouse.validation.batch import Reader


def validated(
    rows: Reader,
    dataset: Dataset,
    partition: Partition = None,
    *,
    nulls: Collection[str] = (),
    line_column: str | None = None,
    file: str | None = None,
) -> Iterator[Judged]:
    """Yield the rows as accepted or rejected, in batches.

    Args:
        rows: reader of the rows; of a dataset that rejects duplicates, they are read twice if there are some.
        dataset: the contract.
        partition: value of the partition column in every row.
        nulls: texts that mean NULL in every column.
        line_column: column for the line of the row.
        file: where the rows come from, for quarantine.
    """
    with database() as connection:
        judge = Judge(connection, dataset, partition, nulls, line_column)
        if dataset.duplicates == "reject" and line_column not in dataset.key:
            parts = _without_duplicates(rows, judge, Duplicates(connection, dataset))
        else:
            parts = map(judge, ahead(rows))
        for part in parts:
            if file is not None:
                found = part.rejected
                named = found.of_file(file) if isinstance(found, Rejections) else [*of_file(file, found)]
                part = Judged(part.accepted, named, file)
            yield part


def _without_duplicates(rows: Reader, judge: Judge, duplicates: Duplicates) -> Iterator[Judged]:
    """Keep the accepted rows in a temporary file until all keys are known."""
    nothing = judge.schema.empty_table()
    with tempfile.TemporaryFile() as file:
        with pa.ipc.new_stream(file, judge.schema) as writer:
            for batch in ahead(rows):
                judged = judge(batch)
                writer.write_table(judged.accepted)
                duplicates.add(judged.accepted)
                yield Judged(nothing, judged.rejected)
        has_duplicates = duplicates.find()
        file.seek(0)
        for part in pa.ipc.open_stream(file):
            accepted = pa.Table.from_batches([part])
            if has_duplicates:
                accepted = accepted.filter(pc.invert(pc.is_in(accepted[LINE], duplicates.lines(accepted[LINE]))))
            yield Judged(accepted, ())
        for batch in rows if has_duplicates else ():
            yield Judged(nothing, list(duplicates.rejected(batch)))
