"""Judges a day's rows by the contract of their source."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from include.core.sources.dataset import dataset_of
from include.core.warehouse.validation.batch import LINE
from include.core.warehouse.validation.json_lines import JsonLines
from include.core.warehouse.validation.validate import validated

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator

    from include.core.sources.model import Source
    from include.core.warehouse.dataset import Rejected
    from include.core.warehouse.validation.batch import Judged

log = logging.getLogger(__name__)


class SplitRows(NamedTuple):
    """All received rows: valid ones in ``good``, with exactly the columns of the table, the others in ``rejected``."""

    good: list[dict[str, Any]]
    rejected: list[Rejected]


def judged_rows(
    source: Source, day: dt.date, lines: Callable[[], Iterable[str | bytes]], file: str
) -> Iterator[Judged]:
    """Yield a day's rows as accepted or rejected, in batches.

    Args:
        source: source whose contract applies.
        day: the requested day.
        lines: returns one JSON text per row, each time from the first.
        file: their file; stored in quarantine with the line.
    """
    dataset = dataset_of(source)
    fields = {name: column.source or name for name, column in source.columns.items()}
    rows = JsonLines(lines, dataset, fields, file)
    yield from validated(rows, dataset, day, line_column="line" if "line" in source.key else None)
    if rows.unknown:
        log.warning(
            "source %s, %s: fields not in the contract, with their number of rows: %s; add them to %s.yaml if they"
            " are needed",
            source.name, day, dict(rows.unknown), source.name,
        )  # fmt: skip


def split_rows(source: Source, day: dt.date, lines: Iterable[str | bytes], file: str) -> SplitRows:
    """Return a day's rows in memory, for the few that fit; see :func:`judged_rows`. A decimal is text."""
    kept = list(lines)
    split = SplitRows([], [])
    for judged in judged_rows(source, day, lambda: kept, file):
        split.good.extend(judged.accepted.drop_columns([LINE]).to_pylist())
        split.rejected.extend(judged.rejected)
    split.rejected.sort(key=lambda item: int(str(item.row["line"])))
    return split
