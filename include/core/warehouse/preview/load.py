"""Describes a load that is rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.warehouse.dataset import Violation
from include.core.warehouse.preview.changes import compare, shortened
from include.core.warehouse.preview.model import MOST_REJECTED, Counts, LoadPreview, RejectedRow
from include.core.warehouse.storable import storable_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset, Rejected
    from include.core.warehouse.quarantine import RejectedRows


def preview_load(
    session: Session,
    dataset: Dataset,
    label: str,
    *,
    rows_in: int,
    rejected: RejectedRows,
    missing: Sequence[str],
    complete: bool,
    removes: bool,
) -> LoadPreview:
    """Describe the load of the staged rows.

    Args:
        session: session with the stage.
        dataset: what is staged.
        label: the partition, as text.
        rows_in: rows received.
        rejected: the rejected ones among them.
        missing: what the load lacks.
        complete: whether it would be complete.
        removes: whether it would remove the partition's rows that aren't staged.
    """
    comparison = compare(session, dataset, label, removes=removes)
    return LoadPreview(
        dataset=dataset.name,
        partition=label,
        complete=complete,
        missing=list(missing),
        rows=Counts(read=rows_in, accepted=rows_in - len(rejected), rejected=len(rejected)),
        rejected=[row for item in rejected.first for row in rejected_rows(item)][:MOST_REJECTED],
        **comparison._asdict(),
    )


def rejected_rows(item: Rejected, file: str | None = None) -> list[RejectedRow]:
    """Return a rejected row as a preview shows it: once for each rule that it breaks.

    Args:
        item: the row.
        file: its file, if the row doesn't say it.
    """
    named, line = item.row.get("file", file), item.row.get("line")
    return [
        RejectedRow(
            file=storable_text(str(named)) if named else None,
            line=line if isinstance(line, int) else None,
            field=violation.field or None,
            value=None if violation.value is None else shortened(violation.value),
            rule=shortened(violation.rule),
        )
        for violation in item.violations or (Violation("", item.reason),)
    ]
