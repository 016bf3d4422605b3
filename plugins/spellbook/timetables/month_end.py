"""A timetable with a run for each month, on a business day of the following month."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable
from typing_extensions import override

from include.domains.finance.calendar import business_day

if TYPE_CHECKING:
    from airflow.timetables.base import TimeRestriction
    from pendulum import DateTime


class MonthEndTimetable(Timetable):
    """A run for each calendar month (UTC), on a business day of the following one.

    Args:
        business_day: which business day (TARGET calendar), starting at 1; at most 15.
        hour: hour of that day, UTC.
    """

    def __init__(self, business_day: int = 1, hour: int = 6) -> None:
        self.business_day = business_day
        self.hour = hour
        self.description = f"Business day {business_day} after the end of each month, at {hour:02}:00 UTC"

    @property
    @override
    def summary(self) -> str:
        """Text for the list of DAGs."""
        return f"month end + {self.business_day} business day(s), {self.hour:02}:00"

    @override
    def serialize(self) -> dict[str, Any]:
        """Return the arguments for :meth:`deserialize`."""
        return {"business_day": self.business_day, "hour": self.hour}

    @classmethod
    @override
    def deserialize(cls, data: dict[str, Any]) -> MonthEndTimetable:
        """Create the timetable from serialized arguments."""
        return cls(**data)

    @override
    def validate(self) -> None:
        """Raise ``ValueError`` if the day isn't 1 to 15 or the hour isn't 0 to 23."""
        business_day(2024, 1, self.business_day)
        if not 0 <= self.hour <= 23:
            raise ValueError(f"MonthEndTimetable: hour={self.hour}; allowed: 0 to 23")

    @override
    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the last month that ended before ``run_after``."""
        begin = _month_of(run_after)
        return DataInterval(begin.subtract(months=1), begin)

    @override
    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next month to run; without catchup, skip missed months except the newest."""
        if last_automated_data_interval is not None:
            begin = _month_of(last_automated_data_interval.end)
        elif restriction.earliest is None:
            return None
        else:
            begin = _month_of(restriction.earliest)
            if begin < restriction.earliest:
                begin = begin.add(months=1)
        if not restriction.catchup:
            newest = _month_of(pendulum.now("UTC")).subtract(months=1)
            if self._run_after(newest) > pendulum.now("UTC"):
                newest = newest.subtract(months=1)
            begin = max(begin, newest)
        if restriction.latest is not None and begin > restriction.latest:
            return None
        return DagRunInfo(run_after=self._run_after(begin), data_interval=DataInterval(begin, begin.add(months=1)))

    def _run_after(self, begin: DateTime) -> DateTime:
        following = begin.add(months=1)
        day = business_day(following.year, following.month, self.business_day)
        return pendulum.instance(dt.datetime.combine(day, dt.time(self.hour), dt.UTC))


def _month_of(moment: DateTime) -> DateTime:
    return moment.in_timezone("UTC").start_of("month")
