"""Declares how the rows of a file become those of a dataset.

Free of heavy imports, like the datasets that it refers to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from include.core.formats.recognise import Format
    from include.core.warehouse.dataset import Dataset


@dataclass(frozen=True)
class FileContract:
    """A dataset, and the files that hold its rows.

    Attributes:
        dataset: the contract of the rows.
        rename: field in the file by column, where they differ.
        line_column: column for the row's line in the file.
        max_bad_share: largest tolerated share of rejected rows.
        day_in_file: whether the file has the partition column; otherwise all rows are of the same partition.
        nulls: texts that mean NULL in a CSV file.
        format: format of the file; ``None`` to recognise it.
        encoding: encoding of a CSV file; ``None`` for UTF-8, or UTF-16 with a byte-order mark.
        delimiter: delimiter of a CSV file; ``None`` to detect it.
        check: what else is required of the whole file, given its bytes; raises a ``PermanentError``.
    """

    dataset: Dataset
    rename: Mapping[str, str] = field(default_factory=dict)
    line_column: str | None = None
    max_bad_share: float = 0.0
    day_in_file: bool = False
    nulls: tuple[str, ...] = ("",)
    format: Format | None = None
    encoding: str | None = None
    delimiter: str | None = None
    check: Callable[[bytes], object] | None = None
