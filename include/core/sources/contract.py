"""The contract of a source's rows in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.formats.contract import FileContract
from include.core.sources.dataset import dataset_of

if TYPE_CHECKING:
    from include.core.sources.model import Source


def contract_of(source: Source) -> FileContract:
    """Return the contract of a file with a day's rows of ``source``."""
    said = source.files.model_dump(include={"format", "encoding", "delimiter"}) if source.files else {}
    return FileContract(
        dataset_of(source),
        rename={name: column.source for name, column in source.columns.items() if column.source},
        line_column="line" if "line" in source.key else None,
        max_bad_share=source.max_bad_share,
        **said,
    )
