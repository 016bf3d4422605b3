"""Rows on their way through the validation, many at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from include.core.warehouse.dataset import Rejected

LINE = "line of the row"  # no column's name has a blank
SHOWN = 60


class Shown(NamedTuple):
    """A received row as quarantine and messages may show it.

    Attributes:
        row: the row, personal data masked.
        value: returns the received value of a column that doesn't hold personal data.
    """

    row: Mapping[str, object]
    value: Callable[[str], object]


@dataclass(frozen=True)
class Batch:
    """Received rows.

    Attributes:
        lines: where each row starts in its file, from 1; int64.
        cells: the text of each value, by column of the dataset; NULL for a missing value.
        kinds: what each value is in JSON, see :class:`~include.core.warehouse.validation.expressions.Names`; without a
            column, its values have no type.
        show: returns the rows at some positions as they may be shown.
        malformed: rows that have no values, such as one with too few fields.
    """

    lines: pa.Array[Any]
    cells: Mapping[str, pa.Array[Any]]
    show: Callable[[Sequence[int]], Iterator[Shown]]
    kinds: Mapping[str, pa.Array[Any]] = field(default_factory=dict)
    malformed: Sequence[Rejected] = ()


@dataclass(frozen=True)
class Described:
    """Rejected rows that each iteration describes anew, so that only a few are in memory at once.

    Attributes:
        count: how many there are.
        describe: yields them.
    """

    count: int
    describe: Callable[[], Iterator[Rejected]]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Rejected]:
        return self.describe()


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
    rejected: Sequence[Rejected] | Described
    file: str | None = None


class Number(str):
    """The text of a number, which is shown without quotes."""

    __slots__ = ()


def shown(value: object) -> str:
    """Return a received value in the form of messages."""
    try:
        text = str(value) if isinstance(value, Number | Decimal | date) else repr(value)
    except (RecursionError, ValueError):  # nested too deeply, or too many digits
        return f"a {type(value).__name__}"
    return text[:SHOWN]


class Reader(Protocol):
    """Reads the rows of a file or a frame."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield all rows from the start, in order."""
        ...
