"""Rows on their way through the validation, many at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from include.core.warehouse.dataset import Rejected
    from include.core.warehouse.validation.rejections import Rejections

LINE = "line of the row"  # no column's name has a blank
SHOWN = 60


@dataclass(frozen=True)
class Batch:
    """Received rows.

    Attributes:
        lines: where each row starts in its file, from 1; int64.
        cells: the text of each value, by column of the dataset; NULL for a missing value.
        kinds: what each value is in JSON, see :class:`~include.core.warehouse.validation.expressions.Names`; without a
            column, its values have no type.
        show: returns the rows at some positions as quarantine may show them: personal data masked.
        received: returns the values of a column, which doesn't hold personal data, as they were received at some
            positions.
        malformed: rows that have no values, such as one with too few fields.
        texts: returns the rows that ``show`` returns as JSON texts; ``None`` if not all of them can be written so. Then
            the received values of equal cells are equal.
    """

    lines: pa.Array[Any]
    cells: Mapping[str, pa.Array[Any]]
    show: Callable[[Sequence[int]], Iterable[Mapping[str, object]]]
    received: Callable[[str, Sequence[int]], Iterable[object]]
    kinds: Mapping[str, pa.Array[Any]] = field(default_factory=dict)
    malformed: Sequence[Rejected] = ()
    texts: Callable[[pa.Array[Any]], pa.Array[Any]] | None = None


@dataclass(frozen=True)
class Judged:
    """Validated rows.

    Attributes:
        accepted: the valid rows: their line, and the columns of the dataset in its order. A numeric is text, so that it
            keeps its digits; a timestamp is in UTC.
        rejected: the other rows, each with the rules that it breaks.
        file: where the rows come from, if it is known.
    """

    accepted: pa.Table
    rejected: Sequence[Rejected] | Rejections
    file: str | None = None


class Number(str):
    """The text of a number, which is shown without quotes."""

    __slots__ = ()


PLAIN = (Number, Decimal, date)


def shown(value: object) -> str:
    """Return a received value in the form of messages."""
    try:
        text = str(value) if isinstance(value, PLAIN) else repr(value)
    except (RecursionError, ValueError):  # nested too deeply, or too many digits
        return f"a {type(value).__name__}"
    return text[:SHOWN]


class Reader(Protocol):
    """Reads the rows of a file or a frame."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield all rows from the start, in order."""
        ...
