"""The partitions that a dataset must have.

Free of heavy imports, so that a DAG file can import its dataset at the top.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXCEPTION = re.compile(r"mon|tue|wed|thu|fri|sat|sun|(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
EXCEPTION_HELP = "'sat' (a weekday) or '12-25' (a day of each year, MM-DD)"
DAY = timedelta(days=1)
SHOWN_RANGES = 20


@dataclass(frozen=True)
class Calendar:
    """The partitions of a dataset that is partitioned by date.

    Attributes:
        every: whether there is a partition for each day, or one for each month, under its first day.
        no_data_on: days without a partition: ``sat`` for a weekday, ``12-25`` for a day of each year.

    Raises:
        ValueError: if an exception is neither.
    """

    every: Literal["day", "month"] = "day"
    no_data_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for exception in self.no_data_on:
            if not EXCEPTION.fullmatch(exception):
                raise ValueError(f"no_data_on: {exception!r}; allowed: {EXCEPTION_HELP}")

    @property
    def watched(self) -> timedelta:
        """How far back missing partitions are reported."""
        return timedelta(days=35 if self.every == "day" else 400)

    def expected(self, first: date, last: date) -> list[date]:
        """Return the partitions from ``first`` to ``last``, inclusive."""
        days = (first + number * DAY for number in range((last - first).days + 1))
        if self.every == "month":
            return [day for day in days if day.day == 1]
        return [day for day in days if not {WEEKDAYS[day.weekday()], f"{day:%m-%d}"} & set(self.no_data_on)]


EVERY_DAY = Calendar()


def in_ranges(days: Iterable[date]) -> str:
    """Return days in words, such as ``2024-06-01 to 2024-06-03, 2024-06-09``; the first twenty ranges of them."""
    ranges: list[list[date]] = []
    for day in sorted(days):
        if ranges and day - ranges[-1][1] == DAY:
            ranges[-1][1] = day
        else:
            ranges.append([day, day])
    more = f" and {len(ranges) - SHOWN_RANGES} more ranges" if len(ranges) > SHOWN_RANGES else ""
    return ", ".join(map(_range, ranges[:SHOWN_RANGES])) + more


def _range(days: Sequence[date]) -> str:
    first, last = days
    return f"{first}" if first == last else f"{first} to {last}"
