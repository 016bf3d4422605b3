"""What the bundled APIs have recorded, as they tell themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from devstack.environment import ask, local_url
from devstack.state import State

WEATHER = "openweather_daily"
SAMPLES = {f"process_{name}_data": name for name in ("sales", "marketing", "support")} | {
    "process_finance_data": "sales",
    "long_running_etl": "sales",
    "etl_status_checker": "sales",
    "customer_report": "sales",
}
"""Data set that a DAG is shown with, where that isn't the weather."""


@dataclass(frozen=True)
class Recording:
    """A recorded data set: first and last day, licence, and whom to name."""

    first_day: date
    last_day: date
    licence: str
    attribution: str

    @classmethod
    def of(cls, state: State, dataset: str = WEATHER) -> Recording:
        """Ask the running server."""
        about = ask(f"{local_url(state, 'upstreams')}/about", timeout=10).json()
        found = next(each for each in about["datasets"] if each["name"] == dataset)
        first, last = (date.fromisoformat(found[field]) for field in ("first_day", "last_day"))
        return cls(first, last, found["licence"], found["attribution"])

    def __str__(self) -> str:
        return f"recorded data of {self.first_day} to {self.last_day}, {self.licence}. {self.attribution}"
