"""Business days of the euro area's payment system.

TARGET is closed on Saturdays, Sundays, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December: the European
Central Bank's calendar since 2002.
"""

from __future__ import annotations

import datetime as dt
from functools import cache

from dateutil.easter import easter

DAY = dt.timedelta(days=1)
FRIDAY = 4


@cache
def holidays(year: int) -> frozenset[dt.date]:
    """Return the days of a year on which TARGET is closed, apart from weekends."""
    fixed = {dt.date(year, month, day) for month, day in ((1, 1), (5, 1), (12, 25), (12, 26))}
    return frozenset(fixed | {easter(year) - 2 * DAY, easter(year) + DAY})


def is_business_day(day: dt.date) -> bool:
    """Return whether TARGET is open."""
    return day.weekday() <= FRIDAY and day not in holidays(day.year)


def business_day(year: int, month: int, number: int) -> dt.date:
    """Return a month's ``number``-th business day, starting at 1.

    Raises:
        ValueError: if ``number`` isn't 1 to 15; every month has more than 15.
    """
    if not 1 <= number <= 15:
        raise ValueError(f"business day: {number}; allowed: 1 to 15")
    day = dt.date(year, month, 1)
    while True:
        number -= is_business_day(day)
        if not number:
            return day
        day += DAY
