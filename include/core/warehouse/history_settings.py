"""What a dataset declares about its history; free of imports, so that a DAG file can import it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recurring:
    """A number that recurs, or changes little, from partition to partition for the same key.

    Attributes:
        column: the column, such as a price.
        by: columns of the key, such as the stock code.
    """

    column: str
    by: tuple[str, ...]


@dataclass(frozen=True)
class History:
    """How a load of a dataset is compared with the earlier ones.

    Attributes:
        recurring: numbers that are compared key by key.
        limit: largest accepted deviation from the history, in robust standard deviations.
        days: for a dataset that is partitioned by day, how far a comparable partition may be from the loaded one.
        ignored: columns that aren't compared.
        off: why nothing is compared; empty to compare.

    Raises:
        ValueError: if a number is out of range; the message names it.
    """

    recurring: tuple[Recurring, ...] = ()
    limit: float = 6.0
    days: int = 60
    ignored: tuple[str, ...] = ()
    off: str = ""

    def __post_init__(self) -> None:
        if not 3 <= self.limit <= 100:
            raise ValueError(f"history.limit is {self.limit}; allowed: 3 to 100")
        if not 8 <= self.days <= 4000:
            raise ValueError(f"history.days is {self.days}; allowed: 8 to 4000")

    @property
    def columns(self) -> set[str]:
        """Every column that is named."""
        return {name for item in self.recurring for name in (item.column, *item.by)} | set(self.ignored)
